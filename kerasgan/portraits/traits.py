"""What a portrait shows: one frozen `Traits` per person, and its names in CelebA."""

from dataclasses import dataclass

ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Pale_Skin",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)

LONG_STYLES = ("bob", "long")  # hair beside the neck; in sight under a hat
SHORT_STYLES = ("bald", "buzz", "crop", "swept", "tied")  # leaves the jaw free


Color = tuple[float, float, float]  # sRGB, 0..1


@dataclass(frozen=True)
class Traits:
    """One person in one pose and one light; lengths in half head heights unless said."""

    # who
    male: bool
    age: float  # years, 18..85
    melanin: float  # 0 (palest) .. 1 (darkest)
    undertone: float  # -1 (yellow) .. 1 (red)
    freckles: float  # 0..1, opacity
    mottle: float  # 0..1, unevenness of the skin
    blush: float  # 0..1, red of the cheeks

    # pose and frame
    center: tuple[float, float]  # pixels, the middle of the head
    unit: float  # pixels in half a head's height
    yaw: float  # radians, positive turns the nose to the right of the picture
    pitch: float  # radians, positive looks down
    roll: float  # radians, positive leans to the right of the picture
    gaze: tuple[float, float]  # -1..1 of what the lids leave

    # head
    width: float  # half width at the temples
    chin: float  # from the eyes' line to the chin
    jaw: float  # 0 (square) .. 1 (oval)
    taper: float  # 0..0.4, fraction of the width lost at the chin
    fat: float  # 0..1
    ears: float  # half height
    neck: float  # half width
    shoulders: float  # 0 (level) .. 1 (sloping)

    # eyes
    eye_gap: float  # from the middle to an eye
    eye_size: float  # half width
    eye_open: float  # half height over half width
    eye_slant: float  # radians, positive raises the outer corners
    lid: float  # 0 (single, no crease) .. 1 (deep crease)
    iris: Color
    iris_size: float  # over the eye's half width
    lashes: float  # 0..1
    bags: float  # 0..1

    # brows
    brow_height: float  # above the eyes
    brow_arch: float  # rise of the arch
    brow_thickness: float  # half thickness
    brow_density: float  # 0..1, opacity
    brow_frown: float  # radians, positive raises the inner ends

    # nose
    nose_width: float  # from the middle to a wing
    nose_length: float  # from the eyes' line to the base
    nose_bridge: float  # 0 (flat) .. 1 (high)
    nose_tip: float  # radius

    # mouth
    mouth_height: float  # below the eyes' line
    mouth_width: float  # half width, before a smile
    lip_upper: float  # thickness
    lip_lower: float  # thickness
    smile: float  # -0.3 (sullen) .. 1 (broad)
    mouth_open: float  # 0 (shut) .. 1 (laughing)

    # age and make-up
    lines: float  # 0..1
    lipstick: float  # 0..1, opacity
    lipstick_color: Color
    makeup: float  # 0..1, opacity of the eye shadow
    makeup_color: Color

    # hair
    hair_color_name: str  # black, brown, blond, gray or red
    hair_color: Color
    hair_style: str  # afro or one of LONG_STYLES or SHORT_STYLES
    hair_curl: float  # 0 (straight) .. 1 (coily)
    hair_volume: float  # thickness over the skull
    hair_length: float  # where long hair ends, below the eyes' line
    hairline: float  # height above the eyes' line
    receding: float  # 0..1
    part: float  # -0.4..0.4, where the hair parts
    bangs: bool
    tucked: bool  # long hair behind the ears
    bun: bool  # tied hair knotted on top

    # beard
    beard: float  # 0..1, opacity
    beard_length: float  # below the chin
    goatee: float  # 0..1, opacity
    mustache: float  # 0..1, opacity
    stubble: float  # 0..1, opacity

    # worn
    glasses: str  # none, round, square, half or dark
    glasses_color: Color
    hat: str  # none, beanie, cap or brim
    hat_color: Color
    earrings: bool
    necklace: bool
    clothes: str  # crew, vneck, shirt or suit
    clothes_color: Color
    necktie: bool
    necktie_color: Color

    # light and room
    light_side: float  # radians, positive from the right of the picture
    light_height: float  # radians above the eyes
    light_hardness: float  # 0 (soft) .. 1 (hard)
    light_warmth: float  # -1 (cold) .. 1 (warm)
    exposure: float  # multiplies all light
    rim: float  # 0..1, light from behind on the other side
    backdrop: str  # studio, bokeh, indoors or sky
    backdrop_colors: tuple[Color, Color]
    texture: int  # chooses the noise of skin, hair and room

    @property
    def hair_shows(self) -> bool:
        """Whether enough hair is in sight to name its color."""
        if self.hair_style == "bald":
            return False
        return self.hat == "none" or self.hair_style in LONG_STYLES


def name_attributes(traits: Traits) -> dict[str, bool]:
    """Names what is in sight: every name in `ATTRIBUTES`, with CelebA's meaning."""
    shows = traits.hair_shows
    bare = traits.hat == "none"
    curls = shows and traits.hair_style not in ("buzz", "tied")
    hairy = traits.hair_style != "bald"
    return {
        "5_o_Clock_Shadow": traits.stubble > 0,
        "Arched_Eyebrows": traits.brow_arch > 0.045,
        "Bags_Under_Eyes": traits.bags > 0.55 and traits.glasses != "dark",
        "Bald": bare and not hairy,
        "Bangs": bare and traits.bangs,
        "Big_Lips": traits.lip_upper + traits.lip_lower > 0.228,
        "Big_Nose": traits.nose_width > 0.195,
        "Black_Hair": shows and traits.hair_color_name == "black",
        "Blond_Hair": shows and traits.hair_color_name == "blond",
        "Brown_Hair": shows and traits.hair_color_name == "brown",
        "Bushy_Eyebrows": traits.brow_thickness > 0.037,
        "Chubby": traits.fat > 0.7,
        "Eyeglasses": traits.glasses != "none",
        "Goatee": traits.goatee > 0,
        "Gray_Hair": shows and traits.hair_color_name == "gray",
        "Heavy_Makeup": traits.makeup > 0.4 and traits.glasses != "dark",
        "Male": traits.male,
        "Mouth_Slightly_Open": traits.mouth_open > 0,
        "Mustache": traits.mustache > 0,
        "Narrow_Eyes": traits.eye_open < 0.34 and traits.glasses != "dark",
        "No_Beard": traits.beard + traits.goatee + traits.mustache + traits.stubble == 0,
        "Pale_Skin": traits.melanin < 0.07,
        "Receding_Hairline": bare and hairy and traits.receding > 0.5,
        "Rosy_Cheeks": traits.blush > 0.55,
        "Sideburns": traits.beard > 0,
        "Smiling": traits.smile > 0.3,
        "Straight_Hair": curls and traits.hair_curl < 0.12,
        "Wavy_Hair": curls and 0.2 < traits.hair_curl < 0.75,
        "Wearing_Earrings": traits.earrings,
        "Wearing_Hat": not bare,
        "Wearing_Lipstick": traits.lipstick > 0,
        "Wearing_Necklace": traits.necklace,
        "Wearing_Necktie": traits.necktie,
        "Young": traits.age < 40,
    }
