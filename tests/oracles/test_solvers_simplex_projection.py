"""The projection onto the simplex against quadratic programming and its own properties."""

from __future__ import annotations

import numpy as np
import quadprog
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmixel.solvers import project_to_simplex


def test_agrees_with_quadprog():
    points = np.random.default_rng(0).normal(scale=2, size=(200, 5))
    constraints, bounds = np.column_stack([np.ones(5), np.eye(5)]), np.append(1.0, np.zeros(5))
    expected = [quadprog.solve_qp(np.eye(5), point, constraints, bounds, 1)[0] for point in points]
    np.testing.assert_allclose(project_to_simplex(points), expected, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 5), st.integers(1, 9)),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False),
    )
)
def test_lies_on_the_simplex_and_leaves_it_alone(points):
    projected = project_to_simplex(points)
    assert (projected >= 0).all()
    np.testing.assert_allclose(projected.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(project_to_simplex(projected), projected, atol=1e-9)
