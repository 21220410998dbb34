"""instructor, whose answers are all objects: by a tool, by json_schema and by json_object."""

import instructor
import openai
from instructor.core import InstructorRetryException
from instructor.processing.multimodal import Image
from pydantic import BaseModel
from tell import ERROR, MODEL, PIXEL, STRUCTURED, tell


class City(BaseModel):
    name: str
    population: int


class Seen(BaseModel):
    answer: str


def client(mode=instructor.Mode.TOOLS):
    return instructor.from_openai(openai.OpenAI(max_retries=0), mode=mode)


def city(mode, asked=STRUCTURED):
    messages = [{"role": "user", "content": asked}]
    return client(mode).create(model=MODEL, response_model=City, messages=messages, max_retries=0).model_dump()


def by_tool():
    return city(instructor.Mode.TOOLS)


def by_strict_tool():
    return city(instructor.Mode.TOOLS_STRICT)


def by_schema():
    return city(instructor.Mode.JSON_SCHEMA)


def by_json():
    # The mode has the schema in its prompt only, where the scripted model does not look.
    return city(instructor.Mode.JSON, 'Reply with exactly: {"name": "Paris", "population": 2100000}')


def streamed_object():
    messages = [{"role": "user", "content": STRUCTURED}]
    *_, last = client().create_partial(model=MODEL, response_model=City, messages=messages, max_retries=0)
    return last.model_dump()


def seen():
    picture = Image(source="pixel", media_type="image/png", data=PIXEL)
    messages = [{"role": "user", "content": ['answer="seen"', picture]}]
    return client().create(model=MODEL, response_model=Seen, messages=messages, max_retries=0).answer


def error():
    messages = [{"role": "user", "content": ERROR}]
    try:
        client().create(model=MODEL, response_model=City, messages=messages, max_retries=0)
    except InstructorRetryException as raised:
        return raised.__cause__.status_code


tell(by_tool, by_strict_tool, by_schema, by_json, streamed_object, seen, error)
