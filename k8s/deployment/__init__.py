"""The manifests of a platform on Kubernetes, made from the code and the settings of an installation."""
