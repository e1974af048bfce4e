"""What a frame of the benchmark's scene costs with ffmpeg's overlay filters, with GStreamer's compositor, and with onair.

compose.py ffmpeg|gstreamer|onair|ffmpeg-air|gstreamer-air|x264|x264-paced FOLDER: FOLDER holds layout.json and its pictures; see
bench/compose/scene.rs. With -air the frames are also encoded (x264 at 4 Mbit/s, with onair's own settings) and packed as FLV; x264
alone encodes pictures.yuv, as fast as it can or, paced, as fast as they are shown. AIR_FPS (30) and AIR_PRESET (veryfast) say at
what rate and how hard. Prints JSON: milliseconds of processor time a frame, all threads. What starting costs is left out: the
difference of a long and a short run counts. ONAIR in the environment is onair's program. Needs nothing but Python's own modules, and
for GStreamer those of the system (python3-gi).
"""

import functools
import json
import os
import pathlib
import resource
import subprocess
import sys

SHORT, LONG = 30, 270
FPS = int(os.environ.get("AIR_FPS", "30"))
PRESET = os.environ.get("AIR_PRESET", "veryfast")
# Those of crates/media/src/air/video/choice.rs, but that keyframes come by themselves.
PARAMETERS = {"keyint": FPS * 2, "scenecut": 0, "bframes": 0, "cabac": 1, "8x8dct": 1, "ref": 1, "weightp": 0,
              "chroma-qp-offset": 0, "threads": min(2, os.cpu_count() or 1), "sliced-threads": 1}
JOINED = ":".join(f"{name}={value}" for name, value in PARAMETERS.items())
X264 = ["-c:v", "libx264", "-preset", PRESET, "-tune", "zerolatency", "-profile:v", "high", "-b:v", "4000k", "-maxrate", "4000k",
        "-bufsize", "6000k", "-nal-hrd", "vbr", "-x264-params", JOINED]


def spent(who=resource.RUSAGE_CHILDREN):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def ffmpeg(folder, layout, frames, air=False):
    pictures, text = layout["pictures"], layout["text"]
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error"]
    for file in [layout["background"], *(picture["file"] for picture in pictures)]:
        command += ["-framerate", str(FPS if air else 60), "-i", folder / file]
    # As far in a second, whatever the rate.
    step = 60 // FPS if air else 1
    # Each picture is decoded and brought to its format once, then repeated.
    again = "loop=loop=-1:size=1:start=0,setpts=N"
    graph = [f"[0:v]format=yuv420p,{again}[b0]"]
    for n, picture in enumerate(pictures):
        graph.append(
            f"[{n + 1}:v]format=rgba,colorchannelmixer=aa={layout['opacity']},format=yuva420p,{again}[p{n}]")
        x, y = (f"{picture[a]}+{picture['d' + a] * step}*mod(n\\,{layout['period'] // step})" for a in "xy")
        moves = "frame" if picture["dx"] or picture["dy"] else "init"
        graph.append(f"[b{n}][p{n}]overlay=x={x}:y={y}:eval={moves}:format=yuv420[b{n + 1}]")
    before, after = text["text"].split("{{ program.frame }}")
    escaped = after.replace(":", "\\\\:")
    graph.append(f"[b{len(pictures)}]drawtext=font=DejaVu Sans:fontsize={text['size']}:fontcolor=white:"
                 f"x={text['x']}:y={text['y']}:text={before}%{{n}}{escaped}[out]")
    command += ["-filter_complex", ";".join(graph), "-map", "[out]", "-frames:v", str(frames)]
    command += ["-pix_fmt", "yuv420p", *(X264 + ["-f", "flv"] if air else ["-f", "null"]), "-y", "/dev/null" if air else "-"]
    began = spent()
    subprocess.run(command, check=True)
    return spent() - began


def onair(folder, layout, frames):
    command = [os.environ["ONAIR"], "render", folder / "scene.json", "--threads", "1", "-o", "null"]
    began = spent()
    subprocess.run([*command, "--duration", str(frames / 60)], check=True, stdout=subprocess.DEVNULL)
    return spent() - began


def x264(folder, layout, frames, paced=False):
    """Encoding alone: what reading the pictures costs is taken off."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", *(["-re"] if paced else []), "-f", "rawvideo", "-pix_fmt", "yuv420p",
               "-framerate", str(FPS), "-s", f"{layout['width']}x{layout['height']}", "-i", folder / "pictures.yuv",
               "-frames:v", str(frames)]

    def cost(*coder):
        began = spent()
        subprocess.run([*command, *coder, "-f", "null", "-"], check=True)
        return spent() - began

    return cost(*X264) - cost("-c:v", "wrapped_avframe")


def gstreamer(folder, layout, frames, air=False):
    import gi
    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    pictures, text = layout["pictures"], layout["text"]
    # Its compositor minds a picture's alpha only where what comes out has alpha too.
    format = os.environ.get("GST_FORMAT", "BGRA")
    rate = FPS if air else 60
    step = 60 // rate
    still = f"imagefreeze ! video/x-raw,framerate={rate}/1"
    coder = (f"x264enc speed-preset={PRESET} tune=zerolatency bitrate=4000 vbv-buf-capacity=1500 option-string={JOINED} ! "
             "video/x-h264,profile=high ! flvmux streamable=true ! ") if air else ""
    parts = [f"compositor name=c background=black ! video/x-raw,format={format},width={layout['width']},"
             f"height={layout['height']},framerate={rate}/1 ! videoconvert ! video/x-raw,format=I420 ! textoverlay name=t font-desc=\"DejaVu Sans 32\" halignment=left "
             f"valignment=top xpad={text['x']} ypad={text['y']} ! {coder}fakesink name=s sync=false signal-handoffs=true num-buffers={frames + (2 if air else 0)}",
             f"filesrc location={folder / layout['background']} ! pngdec ! videoconvert ! video/x-raw,format={format} ! {still} ! "
             "c.sink_0"]
    for n, picture in enumerate(pictures, 1):
        parts.append(f"filesrc location={folder / picture['file']} ! pngdec ! videoconvert ! video/x-raw,format={format} ! {still} ! c.sink_{n}")
    pipeline = Gst.parse_launch(" ".join(parts))
    mixer, words = pipeline.get_by_name("c"), pipeline.get_by_name("t")
    pads = [mixer.get_static_pad(f"sink_{n}") for n in range(len(pictures) + 1)]
    for n, pad in enumerate(pads):
        pad.set_property("zorder", n)
    for pad, picture in zip(pads[1:], pictures):
        pad.set_property("xpos", picture["x"])
        pad.set_property("ypos", picture["y"])
        pad.set_property("alpha", layout["opacity"])
    count = 0
    marks = {}

    def taken(_sink, _buffer, _pad):
        nonlocal count
        count += 1
        if count in (SHORT, frames):
            marks[count] = spent(resource.RUSAGE_SELF)
        at = count * step % layout["period"]
        for pad, picture in zip(pads[1:], pictures):
            if picture["dx"] or picture["dy"]:
                pad.set_property("xpos", picture["x"] + picture["dx"] * at)
                pad.set_property("ypos", picture["y"] + picture["dy"] * at)
        words.set_property("text", text["text"].replace("{{ program.frame }}", str(count)))

    pipeline.get_by_name("s").connect("handoff", taken)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(120 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if message is None or message.type == Gst.MessageType.ERROR:
        sys.exit(f"gstreamer: {message and message.parse_error()}")
    pipeline.set_state(Gst.State.NULL)
    return (marks[frames] - marks[SHORT]) / (frames - SHORT), ".".join(str(part) for part in Gst.version()[:3])


def main():
    way, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    layout = json.loads((folder / "layout.json").read_text())
    air = way.endswith("-air")
    commands = {"ffmpeg": ffmpeg, "onair": onair, "x264": x264, "x264-paced": functools.partial(x264, paced=True),
                "ffmpeg-air": functools.partial(ffmpeg, air=True)}
    if command := commands.get(way):
        short, long = command(folder, layout, SHORT), command(folder, layout, LONG)
        seconds = (long - short) / (LONG - SHORT)
    if way in ("ffmpeg", "ffmpeg-air", "x264", "x264-paced"):
        version = subprocess.run(["ffmpeg", "-version"], check=True, capture_output=True, text=True).stdout.split()[2]
    elif way == "onair":
        version = subprocess.run([os.environ["ONAIR"], "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    else:
        seconds, version = gstreamer(folder, layout, LONG, air)
    print(json.dumps({"version": f"{way} {version}", "cpu_ms_per_frame": seconds * 1000}))


if __name__ == "__main__":
    os.environ.setdefault("GST_DEBUG", "1")
    main()
