# The playground alone: page and studio, on the CPU. Nothing is downloaded after the build.
FROM python:3.11-slim

# A Space runs its container as user 1000; no other machine minds.
RUN useradd --create-home --uid 1000 visitor
WORKDIR /home/visitor/app

COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --requirement requirements.txt --constraint constraints.txt

COPY --chown=visitor app.py .
COPY --chown=visitor headshot headshot

USER visitor
# History, paid headshots and the signing certificate outlive the container where a volume is put here.
RUN mkdir --mode=700 /home/visitor/data
VOLUME /home/visitor/data
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    HEADSHOT_DATA_DIR=/home/visitor/data \
    HEADSHOT_OPEN_BROWSER=false \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 7860

# Gradio and the networks are loaded within ten seconds on two cores.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]

CMD ["python", "app.py"]
