"""The key of a request."""

from __future__ import annotations

from anomend.purchasing.requests import PaidRequest

REQUEST = PaidRequest({"model": "m", "prompt": "lying on the grass"}, 0.5)


def test_the_key_follows_every_part_of_the_request_and_not_their_order() -> None:
    same = PaidRequest({"prompt": "lying on the grass", "model": "m"}, 9.0)
    assert same.key == REQUEST.key
    assert PaidRequest(REQUEST.content | {"repeat": 1}, 0.5).key != REQUEST.key
    # printf '%s' '{"model": "m", "prompt": "lying on the grass"}' | sha256sum
    assert REQUEST.key == "c99c0c3a6196f74c2d3d24a9cdd8be7742f2abc9160956232792f84b35faf2e5"
