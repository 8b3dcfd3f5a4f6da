"""MediaPipe's numbers of the points of a face, by part. Left and right are the subject's own."""

INNER_LIPS_UPPER = (191, 80, 81, 82, 13, 312, 311, 310, 415)
INNER_LIPS_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
GAP_UPPER, GAP_LOWER = INNER_LIPS_UPPER[3:6], INNER_LIPS_LOWER[3:6]
"""The three middle pairs of the inner lips: their mean distance is the gap, wherever talker speaks of one."""
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH_CORNERS = (61, 291)
LIPS = (*OUTER_LIPS, 78, 308, *INNER_LIPS_UPPER, *INNER_LIPS_LOWER)
MOUTH_AREA = (57, 287, 43, 273, 106, 335, 182, 406, 18, 216, 436, 192, 416, 206, 426)
CHIN = 152
MOUTH = (*MOUTH_CORNERS, 0, 17, 13, 14, 82, 87, 312, 317, CHIN)
"""A few points that tell how a mouth moves: the corners, the middles of the lips and the chin."""
JAW = (288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 200, 199, 175)
OUTER_EYE_CORNERS = (33, 263)
"""Right and left; the distance between them is the unit of lengths on faces."""
EYE_CORNERS = {"Right": (33, 133), "Left": (263, 362)}
LIDS_UPPER = {"Right": (246, 161, 160, 159, 158, 157, 173), "Left": (466, 388, 387, 386, 385, 384, 398)}
LIDS_LOWER = {"Right": (7, 163, 144, 145, 153, 154, 155), "Left": (249, 390, 373, 374, 380, 381, 382)}
LID_PAIRS = {"Right": ((160, 144), (159, 145), (158, 153)), "Left": ((387, 373), (386, 374), (385, 380))}
IRIS = {"Right": 468, "Left": 473}
BROWS = {
    "Right": (70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
    "Left": (300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
}
EYE_AREA = tuple(k for group in (LIDS_UPPER, LIDS_LOWER, BROWS, EYE_CORNERS) for side in group.values() for k in side)
CHEEKS = (50, 280, 205, 425, 187, 411, 123, 352, 117, 346, 36, 266, 203, 423)
NOSE = (98, 97, 326, 327, 49, 279, 48, 278, 115, 344, 129, 358, 19, 94, 2)
NOSE_BRIDGE = 168
