"""Which files are pictures, told by their names, or by their first bytes where a name says nothing.

A file whose name ends like a picture's counts as one, whatever is in it: what cannot be read is
better rejected with its reason than overlooked. So does what people take for a picture and is none
here, such as a video. All other files do not count.
"""

import os
import re

HEIC_INSTALL = 'type pip install "kerasgan[heic]"'
HEIC_UNREAD = "HEIC, which needs the extra heic"
DRAWING = "a drawing, not pixels: save it as PNG"
RAW = "a camera's raw file: save it as JPEG or TIFF"
PAINTING = "a painting program's own file: save it as PNG"
VIDEO = "a video: name it by itself to have its frames"
FOREIGN = "a format that is not read: save it as PNG or JPEG"
WEB_PAGE = "a web page, not a picture"

READ = """
    jpg jpeg jpe jfif jif mpo png apng webp bmp dib gif tif tiff ppm pgm pbm pnm pfm avif avifs
    heic heif hif heics jp2 j2k j2c jpc jpf jpx tga icb vda vst ico cur icns pcx dcx sgi qoi psd
    dds xbm xpm msp pcd
"""
NOT_READ = {
    "svg svgz eps ai wmf emf cdr": DRAWING,
    "dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 pef srw x3f 3fr iiq erf kdc mrw raw": RAW,
    "xcf kra psb clip ora procreate afphoto pdn": PAINTING,
    "mp4 m4v mov avi mkv webm mpg mpeg wmv flv 3gp mts m2ts ogv": VIDEO,
    "jxl jxr wdp hdp exr hdr fit fits dcm djvu": FOREIGN,
}
# What lies beside pictures by the thousand is told by its name: each look inside takes time.
OTHERS = """
    txt md rst csv tsv json jsonl ndjson xml yaml yml toml ini cfg conf log html htm css js map
    url webloc lnk db sqlite pdf doc docx xls xlsx ppt pptx odt ods rtf py pyc ipynb sh bat ps1
    c h cpp java m r npy npz mat pkl pickle pt pth ckpt bin h5 hdf5 keras onnx pb tflite index
    safetensors meta parquet arrow feather tfrecord tfrecords lmdb mdb idx zip tar gz tgz bz2
    tbz2 xz zst txz 7z rar exe dll so dylib msi dmg iso aae xmp pts lm lab caption captions mp3
    wav m4a aac flac ogg opus srt vtt ass ttf otf woff woff2 eot mid obj ply stl glb gltf fbx
    blend bak tmp part crdownload lock md5 sha1 sha256 sig asc torrent
"""

PICTURES = frozenset(f".{word}" for word in READ.split())
LOOK_ALIKES = {f".{word}": why for words, why in NOT_READ.items() for word in words.split()}
OTHER_FILES = frozenset(f".{word}" for word in OTHERS.split())

# Folders of no pictures to learn from: what systems make, small copies, halves of files and what
# was thrown away; and CelebAMask-HQ's masks of the faces' parts.
PASSED_OVER = frozenset(
    ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "CelebAMask-HQ-mask-anno"]
)

BEGINS = 256  # bytes that tell what a file is
HEIC_BRANDS = rb"hei[cxms]|hev[cxms]|mif[12]|msf1"
AVIF_BRANDS = rb"avi[fso]"
MAGIC = {  # what a file is, by how it begins
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF....WEBP",
    "BMP": rb"BM.{4}\0\0\0\0.{3}\0[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PPM": rb"P[1-6]\s+[\d#]|P[fF]\s+\d",
    "AVIF": rb".{4}ftyp(?:" + AVIF_BRANDS + rb"|mif1.{0,40}" + AVIF_BRANDS + rb")",
    "HEIC": rb".{4}ftyp(?:" + HEIC_BRANDS + rb")",
    "JPEG2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "QOI": rb"qoif",
    "PSD": rb"8BPS",
    "ICNS": rb"icns",
    "DDS": rb"DDS \x7c",
}
MAGIC_OF_OTHERS = {  # the same of what is not read: the reason
    DRAWING: rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*)?<svg\b|%!PS|\xc5\xd0\xd3\xc6",
    RAW: rb"II\*\0.{4}CR|II\x1a\0.{2}HEAPCCDR|.{4}ftypcrx |FUJIFILMCCD-RAW|IIRO|IIU\0",
    PAINTING: rb"gimp xcf",
    VIDEO: rb".{4}ftyp(?:isom|iso[2-9]|mp4[12]|M4V |qt  |avc1|3gp|mmp4|dash)|\x1a\x45\xdf\xa3"
    rb"|RIFF....AVI |.{4}(?:moov|wide|mdat|free)",
    FOREIGN: rb"\xff\x0a|\0\0\0\x0cJXL |\x76\x2f\x31\x01|#\?RADIANCE|SIMPLE  =|II\xbc",
    WEB_PAGE: rb"(?i:(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html|<head))",
    "a PDF: save its pictures as PNG": rb"%PDF-",
    "an archive: name it by itself, or unpack it": rb"PK\x03\x04|\x1f\x8b\x08|Rar!|7z\xbc\xaf",
}


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def looks_like_picture(name: str) -> bool | None:
    """Whether a file counts as a picture by its name; None where that says nothing.

    Args:
        name: without its folders, or with them.
    """
    ending = _ending(name)
    if ending in PICTURES or ending in LOOK_ALIKES:
        return True
    return False if ending in OTHER_FILES else None


def why_not(name: str) -> str | None:
    """Returns why a file is not read, which its name tells already; None where it may be read."""
    return LOOK_ALIKES.get(_ending(name))


def endings_of(why: str) -> tuple[str, ...]:
    """Returns the endings of files that are not read for a reason, ".mp4" for example."""
    return tuple(ending for ending, reason in LOOK_ALIKES.items() if reason == why)


def is_hidden(path: str) -> bool:
    """Whether a part of a path begins with a dot, or is a folder of no pictures to learn from."""
    return any(part.startswith(".") or part in PASSED_OVER for part in path.split("/"))


def kind_of(begins: bytes) -> str | None:
    """Returns what a picture file is, by its first `BEGINS` bytes: "JPEG" for example, or None."""
    return _matching(MAGIC, begins)


def reason_of(begins: bytes) -> str | None:
    """Returns why a file that begins so is not read; None where the bytes do not tell."""
    return _matching(MAGIC_OF_OTHERS, begins)


def _matching(magic: dict[str, bytes], begins: bytes) -> str | None:
    found = (name for name, bytes_ in magic.items() if re.match(bytes_, begins, re.DOTALL))
    return next(found, None)
