# syntax=docker/dockerfile:1.7
FROM python:3.12.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/srv/venv
RUN pip install --no-cache-dir uv==0.8.17
WORKDIR /srv/tenfold
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project
COPY alembic.ini ./
COPY app app
COPY migrations migrations
COPY templates templates
COPY static static
COPY locales locales
RUN uv sync --locked --no-dev

FROM python:3.12.11-slim-bookworm
RUN useradd --system --home-dir /srv/tenfold --shell /usr/sbin/nologin tenfold
COPY --from=build /srv/venv /srv/venv
COPY --from=build /srv/tenfold /srv/tenfold
WORKDIR /srv/tenfold
# The journal is all that it writes: the database is elsewhere, and production has no embedded one.
RUN install --directory --owner=tenfold --mode=0700 /var/lib/tenfold/journal
VOLUME /var/lib/tenfold/journal
ENV PATH=/srv/venv/bin:$PATH TENFOLD_JOURNAL_DIR=/var/lib/tenfold/journal TENFOLD_ENV=production TENFOLD_LOG_FORMAT=json PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER tenfold
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["tenfold", "web", "--host", "0.0.0.0"]
