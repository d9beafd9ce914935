# One image for the API, the worker and the simulator; docker-compose.yml says which runs where.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home pitwall

WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
# The CPU build is a tenth of the CUDA one's size; a GPU worker builds with --build-arg TORCH_INDEX=.../cu130.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)" \
    && pip install --no-cache-dir -r requirements.lock
COPY backend backend
COPY worker worker
COPY frontend frontend
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps --editable . \
    && mkdir /data && chown pitwall /data

USER pitwall
ENV PITWALL_DATA=/data
VOLUME /data
EXPOSE 8000
CMD ["pitwall", "serve"]
