"""What reading a screen costs the way the systems that onair replaces do it: OpenCV's matchTemplate and pytesseract.

screen_cv2.py FRAMES [--portraits FOLDER]: FRAMES is a folder of PNG pictures, 1280 x 720. With portraits each picture's ten
portraits of a Dota bar are looked for among all of them; without, clock and score of a football board are read by OCR. Prints
JSON: milliseconds of processor time a picture (children included), decoding left out, and what was read.
"""

import argparse
import json
import pathlib
import resource
import statistics

import cv2
import numpy as np


def spent():
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def slots(height, width):
    """Left edges of the ten portraits at 1080 lines, about the middle of the picture."""
    unit = height / 1080
    for left in [548, 610, 672, 734, 796, 1062, 1124, 1186, 1248, 1310]:
        x = round(width / 2 + (left - 960) * unit)
        yield x, round(5 * unit), round(60 * unit), round(35 * unit)


def heroes(picture, portraits):
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    found = []
    for x, y, width, height in slots(*grey.shape):
        margin = 3
        area = grey[max(0, y - margin):y + height + margin, max(0, x - margin):x + width + margin]
        best = max(portraits, key=lambda tag: cv2.matchTemplate(area, portraits[tag], cv2.TM_CCOEFF_NORMED).max())
        found.append(best)
    return found


def board(picture):
    import pytesseract

    read = {}
    for name, (x0, x1), letters in [("clock", (70, 135), "0123456789:"), ("score", (220, 280), "0123456789-")]:
        crop = cv2.cvtColor(picture[38:62, x0:x1], cv2.COLOR_BGR2GRAY)
        crop = cv2.resize(crop, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        # Dark letters on light, by whatever grey there is most of.
        if np.bincount(crop.ravel(), minlength=256).argmax() < 128:
            crop = 255 - crop
        config = f"--psm 7 -c tessedit_char_whitelist={letters}"
        read[name] = pytesseract.image_to_string(crop, config=config).strip()
    return read


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("frames", type=pathlib.Path)
    parser.add_argument("--portraits", type=pathlib.Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    portraits = {}
    if arguments.portraits:
        size = (round(60 * 720 / 1080), round(35 * 720 / 1080))
        for path in sorted(arguments.portraits.glob("*.png")):
            portraits[path.stem] = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), size, interpolation=cv2.INTER_AREA)
    costs, read = [], {}
    for path in sorted(arguments.frames.glob("*.png")):
        picture = cv2.imread(str(path))
        before = spent()
        read[path.stem] = heroes(picture, portraits) if portraits else board(picture)
        costs.append(1000 * (spent() - before))
    print(json.dumps({"cpu_ms": statistics.median(costs), "pictures": len(costs), "read": read}))


if __name__ == "__main__":
    main()
