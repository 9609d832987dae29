# One image for every process: `mturkhub run web | worker | beat | marketplace`, and `mturkhub prepare` before them.
# docker-compose.yml shows how they belong together.

ARG BASE=python:3.11-slim
ARG NODE=node:22-slim

FROM ${NODE} AS front-end
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY static static
RUN npm run --silent build

FROM ${BASE} AS packages
WORKDIR /build
COPY dev.py requirements.lock ./
# pip stays outside: what runs needs nothing that installs.
RUN python3 -m venv --without-pip /opt/mturkhub \
    && python3 dev.py runtime > runtime.lock \
    && python3 -m pip --python /opt/mturkhub/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r runtime.lock \
    && printf '#!/opt/mturkhub/bin/python\nfrom mturkhub.command.main import main\n\nmain()\n' \
        > /opt/mturkhub/bin/mturkhub \
    && chmod 755 /opt/mturkhub/bin/mturkhub

FROM ${BASE}
RUN groupadd --gid 10001 mturkhub \
    && useradd --uid 10001 --gid mturkhub --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin mturkhub
ENV PATH=/opt/mturkhub/bin:$PATH \
    PYTHONPATH=/srv/mturkhub \
    PYTHONUNBUFFERED=1 \
    MTURKHUB_BIND=0.0.0.0 \
    MTURKHUB_HOME=/tmp/mturkhub
WORKDIR /srv/mturkhub
COPY --from=packages /opt/mturkhub /opt/mturkhub
COPY mturkhub mturkhub
COPY projects projects
COPY marketplace marketplace
COPY templates templates
COPY static static
COPY --from=front-end /build/static/dist static/dist
# Now, because the root file system may be read-only when it runs.
RUN python -m compileall -q /srv/mturkhub
USER 10001:10001
EXPOSE 8000 8001
# Of the process that is started without a command; docker-compose.yml has the others'.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["mturkhub", "well", "web"]
ENTRYPOINT ["mturkhub"]
CMD ["run", "web"]
