"""Faces of the platform that are HTTP by nature: they verify, translate and call a context by gRPC. No rule of a domain is decided here."""
