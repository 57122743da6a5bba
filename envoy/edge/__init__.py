"""The edge, made from the contract: Envoy's configuration, the OpenAPI document and the table of who may call what."""
