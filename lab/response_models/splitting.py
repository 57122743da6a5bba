"""Which learners a model is trained on, and which it is judged on: whole learners, never rows, and the same ones in every file."""

from hashlib import blake2b

from domain.inference.trained import Unseen


def is_unseen(learner: str, unseen: Unseen) -> bool:
    """Whether a learner is kept for judging: a hash of the name and the seed decides, so that the rest of the file does not."""
    digest = blake2b(f"{unseen.seed}/{learner}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < unseen.share
