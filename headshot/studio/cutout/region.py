"""Rectangles of a photo."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from headshot.imaging.face import Face
from headshot.imaging.photo import Marks

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Region:
    """A rectangle of the photo in whole pixels.

    Attributes:
        left: its first column.
        top: its first row.
        right: the column after its last.
        bottom: the row after its last.
    """

    left: int
    top: int
    right: int
    bottom: int

    def crop(self, picture: Array) -> Array:
        """Return the rectangle of a picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]

    def marks_inside(self, marks: Marks) -> Marks:
        """Return points of the photo in the rectangle's own pixels."""
        both = (tuple((x - self.left, y - self.top) for x, y in each) for each in (marks.inside, marks.outside))
        return Marks(*both)

    def face_inside(self, face: Face) -> Face:
        """Return a face of the photo in the rectangle's own pixels."""
        return face.moved(np.array([[1, 0, -self.left], [0, 1, -self.top]], np.float32))
