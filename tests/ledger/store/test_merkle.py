"""The Merkle tree: hashes, roots and proofs of others, and the laws between them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.shared_data import own_vectors, shared_rows, shared_vectors

LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]


def _hash(text: str | None) -> bytes:
    return b64decode(text or "")


def test_hashes_and_roots_of_others() -> None:
    want = shared_vectors("merkle_roots")["cases"]
    empty, nothing, text, node = want["hasher"]
    assert bytes.fromhex(empty["hash"]) == EMPTY_ROOT
    for row in (nothing, text):
        assert leaf_hash(bytes.fromhex(row["input"])).hex() == row["hash"]
    assert node_hash(bytes.fromhex(node["left"]), bytes.fromhex(node["right"])).hex() == node["hash"]
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in want["leaves"]]
    assert [root(leaves[:size]).hex() for size in range(9)] == want["roots_by_size"]
    for level, subtrees in enumerate(want["subtrees_by_level"]):
        width = 1 << level
        assert [root(leaves[n : n + width]).hex() for n in range(0, 8, width)] == subtrees


@pytest.mark.parametrize("case", shared_rows("merkle_inclusion", label="path"))
def test_inclusion_proofs_of_others(case: dict[str, Any]) -> None:
    shown = verify_inclusion(
        leaf=_hash(case["leaf_hash"]),
        index=case["index"],
        size=case["size"],
        proof=[_hash(step) for step in case["proof"] or ()],
        root=_hash(case["root"]),
    )
    assert shown == (case["want"] == "accepted")


@pytest.mark.parametrize("case", shared_rows("merkle_consistency", label="path"))
def test_consistency_proofs_of_others(case: dict[str, Any]) -> None:
    shown = verify_consistency(
        old_size=case["old_size"],
        new_size=case["new_size"],
        old_root=_hash(case["old_root"]),
        new_root=_hash(case["new_root"]),
        proof=[_hash(step) for step in case["proof"] or ()],
    )
    assert shown == (case["want"] == "accepted")


def test_the_worked_example_has_its_hashes_roots_and_proofs() -> None:
    example = own_vectors("worked_example_leaves")
    leaves = [leaf_hash(row["leaf"].encode()) for row in example["leaves"]]
    assert [leaf.hex() for leaf in leaves] == [row["leaf_hash_hex"] for row in example["leaves"]]
    assert [root(leaves[:size]).hex() for size in range(10)] == example["roots_hex"]

    # Each leaf names the one before it in its own stream.
    last: dict[str, str] = {}
    for row, leaf in zip(example["leaves"], leaves, strict=True):
        fields = json.loads(row["leaf"])
        assert fields["prev"] == last.get(fields["stream"], "")
        last[fields["stream"]] = b64encode(leaf).decode()

    inclusion, consistency = example["inclusion"], example["consistency"]
    assert inclusion["size"] == consistency["new_size"] == len(leaves)
    assert inclusion_proof(leaves, inclusion["index"]) == [_hash(step) for step in inclusion["proof"]]
    assert consistency_proof(leaves, consistency["old_size"]) == [_hash(step) for step in consistency["proof"]]


def _split_by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(_split_by_definition(leaves[:half]), _split_by_definition(leaves[half:]))


def test_a_growing_tree_has_the_root_of_the_definition_at_every_size() -> None:
    frontier = Frontier()
    for size in range(len(LEAVES) + 1):
        assert (frontier.size, frontier.root()) == (size, _split_by_definition(LEAVES[:size]))
        if size < len(LEAVES):
            frontier.append(LEAVES[size])


def test_every_proof_made_is_accepted_for_its_own_index_and_sizes_alone() -> None:
    roots = [root(LEAVES[:size]) for size in range(21)]
    for size in range(1, 21):
        for index in range(size):
            proof = inclusion_proof(LEAVES[:size], index)
            assert [
                other
                for other in range(-1, size + 2)
                if verify_inclusion(leaf=LEAVES[index], index=other, size=size, proof=proof, root=roots[size])
            ] == [index]
        for old in range(1, size + 1):
            proof = consistency_proof(LEAVES[:size], old)
            for other in range(size + 2):
                shown = verify_consistency(
                    old_size=other, new_size=size, old_root=roots[old], new_root=roots[size], proof=proof
                )
                assert shown == (other == old)


def test_no_other_leaf_or_root_is_shown_by_a_proof() -> None:
    stranger = leaf_hash(b"stranger")
    for size in range(1, 21):
        leaves, top = LEAVES[:size], root(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(leaves, index)
            assert not verify_inclusion(leaf=stranger, index=index, size=size, proof=proof, root=top)
            assert not verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=stranger)
        for old in range(1, size + 1):
            proof, old_top = consistency_proof(leaves, old), root(leaves[:old])
            for old_root, new_root in ((stranger, top), (old_top, stranger)):
                assert not verify_consistency(
                    old_size=old, new_size=size, old_root=old_root, new_root=new_root, proof=proof
                )


@given(st.integers(1, 40), st.data())
def test_a_proof_with_one_bit_hash_or_length_changed_is_refused(size: int, data: st.DataObject) -> None:
    leaves = LEAVES[:size]
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    for is_inclusion, proof in ((True, inclusion_proof(leaves, index)), (False, consistency_proof(leaves, old))):
        for changed in _changes(proof, data):
            if is_inclusion:
                assert not verify_inclusion(
                    leaf=leaves[index], index=index, size=size, proof=changed, root=root(leaves)
                )
            else:
                assert not verify_consistency(
                    old_size=old, new_size=size, old_root=root(leaves[:old]), new_root=root(leaves), proof=changed
                )


def _changes(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    changes = [[*proof, LEAVES[0]], [LEAVES[0], *proof], [*proof, b""]]
    if proof:
        at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at]) ^ 1 << bit).to_bytes(32)
        others: tuple[list[bytes], ...] = ([flipped], [], [proof[at], proof[at]], [proof[at] + b"\0"], [proof[at][:-1]])
        changes += [[*proof[:at], *other, *proof[at + 1 :]] for other in others]
    return changes


def test_an_old_size_of_zero_and_an_index_outside_show_nothing() -> None:
    top = root(LEAVES)
    assert not verify_consistency(old_size=0, new_size=40, old_root=EMPTY_ROOT, new_root=top, proof=[])
    assert not verify_consistency(old_size=0, new_size=0, old_root=EMPTY_ROOT, new_root=EMPTY_ROOT, proof=[])
    assert not verify_inclusion(leaf=EMPTY_ROOT, index=0, size=0, proof=[], root=EMPTY_ROOT)
