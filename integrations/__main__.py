"""`python -m integrations`: serves every face in this process."""

from integrations.host import main

if __name__ == "__main__":
    main()
