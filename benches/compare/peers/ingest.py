"""Attaches files with sqlalchemy-media, a process per core: ingest.py DIRECTORY PROCESSES < LIST

DIRECTORY must be empty; it gets the store and the databases. LIST has a path on each line. Prints the seconds from the moment
when all processes are ready until the last file is committed.

A file is treated as by a mediafs field of `type = "image"`: identified, checked, turned upright and stripped, which with
Pillow means encoded again. In favour of this side, each process has a database of its own, so that none waits for another's
lock, and only SQLite's commit is synced.
"""

import functools
import io
import json
import multiprocessing
import os
import sys
import time

from PIL import Image as PilImage, ImageOps
from sqlalchemy import Column, Integer, Unicode, create_engine
from sqlalchemy.ext.declarative import declarative_base
from sqlalchemy.orm import sessionmaker
from sqlalchemy.types import TypeDecorator
from sqlalchemy_media import (
    FileSystemStore,
    Image,
    ImageAnalyzer,
    ImageValidator,
    StoreManager,
)
from sqlalchemy_media.processors import Processor


class Json(TypeDecorator):
    impl = Unicode
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return json.dumps(value)

    def process_result_value(self, value, dialect):
        return None if value is None else json.loads(value)


class Upright(Processor):
    """Applies the EXIF orientation and saves without metadata, in the same format."""

    def process(self, descriptor, context):
        image = PilImage.open(descriptor)
        kind = image.format
        image = ImageOps.exif_transpose(image)
        image.info.pop("exif", None)
        buffer = io.BytesIO()
        image.save(buffer, kind)
        buffer.seek(0)
        context.update(width=image.width, height=image.height)
        context.pop("length", None)
        descriptor.replace(buffer, position=0, **context)


class Photo(Image):
    __max_length__ = 32 * 1024 * 1024
    __pre_processors__ = [
        ImageAnalyzer(),
        ImageValidator(
            minimum=(1, 1),
            maximum=(16384, 16384),
            content_types=["image/jpeg", "image/png"],
        ),
        Upright(),
    ]


Base = declarative_base()


class Row(Base):
    __tablename__ = "photo"
    id = Column(Integer, primary_key=True)
    whole = Column(Photo.as_mutable(Json))


def work(directory, number, paths, barrier):
    store = functools.partial(FileSystemStore, f"{directory}/files", "http://localhost/")
    StoreManager.register("fs", store, default=True)
    engine = create_engine(f"sqlite:///{directory}/{number}.sqlite")
    Base.metadata.create_all(engine)
    session = sessionmaker(bind=engine)()
    barrier.wait()
    for path in paths:
        with StoreManager(session):
            session.add(Row(whole=Photo.create_from(path)))
            session.commit()
    barrier.wait()


def main():
    directory, processes = sys.argv[1], int(sys.argv[2])
    paths = sys.stdin.read().split("\n")[:-1]
    os.makedirs(f"{directory}/files")
    barrier = multiprocessing.Barrier(processes + 1)
    workers = [
        multiprocessing.Process(
            target=work, args=(directory, number, paths[number::processes], barrier)
        )
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    begun = time.monotonic()
    barrier.wait()
    print(time.monotonic() - begun)
    for worker in workers:
        worker.join()


main()
