"""Digests as words, the way people in the room read them aloud and type them back.

The list is the PGP word list (Juola and Zimmermann, 1995): even bytes take a two-syllable word, odd
bytes a three-syllable one, so that a dropped, doubled or swapped word is heard.
"""

import hashlib

_EVEN = """
    aardvark absurd accrue acme adrift adult afflict ahead aimless Algol allow alone ammo
    ancient apple artist assume Athens atlas Aztec baboon backfield backward banjo beaming
    bedlamp beehive beeswax befriend Belfast berserk billiard bison blackjack blockade
    blowtorch bluebird bombast bookshelf brackish breadline breakup brickyard briefcase
    Burbank button buzzard cement chairlift chatter checkup chisel choking chopper Christmas
    clamshell classic classroom cleanup clockwork cobra commence concert cowbell crackdown
    cranky crowfoot crucial crumpled crusade cubic dashboard deadbolt deckhand dogsled
    dragnet drainage dreadful drifter dropper drumbeat drunken Dupont dwelling eating edict
    egghead eightball endorse endow enlist erase escape exceed eyeglass eyetooth facial
    fallout flagpole flatfoot flytrap fracture framework freedom frighten gazelle Geiger
    glitter glucose goggles goldfish gremlin guidance hamlet highchair hockey indoors
    indulge inverse involve island jawbone keyboard kickoff kiwi klaxon locale lockup merit
    minnow miser Mohawk mural music necklace Neptune newborn nightbird Oakland obtuse
    offload optic orca payday peachy pheasant physique playhouse Pluto preclude prefer
    preshrunk printer prowler pupil puppy python quadrant quiver quota ragtime ratchet
    rebirth reform regain reindeer rematch repay retouch revenge reward rhythm ribcage
    ringbolt robust rocker ruffled sailboat sawdust scallion scenic scorecard Scotland
    seabird select sentence shadow shamrock showgirl skullcap skydive slingshot slowdown
    snapline snapshot snowcap snowslide solo southward soybean spaniel spearhead spellbind
    spheroid spigot spindle spyglass stagehand stagnate stairway standard stapler steamship
    sterling stockman stopwatch stormy sugar surmount suspense sweatband swelter tactics
    talon tapeworm tempest tiger tissue tonic topmost tracker transit trauma treadmill
    Trojan trouble tumor tunnel tycoon uncut unearth unwind uproot upset upshot vapor
    village virus Vulcan waffle wallet watchword wayside willow woodlark Zulu
""".split()

_ODD = """
    adroitness adviser aftermath aggregate alkali almighty amulet amusement antenna
    applicant Apollo armistice article asteroid Atlantic atmosphere autopsy Babylon
    backwater barbecue belowground bifocals bodyguard bookseller borderline bottomless
    Bradbury bravado Brazilian breakaway Burlington businessman butterfat Camelot candidate
    cannonball Capricorn caravan caretaker celebrate cellulose certify chambermaid Cherokee
    Chicago clergyman coherence combustion commando company component concurrent confidence
    conformist congregate consensus consulting corporate corrosion councilman crossover
    crucifix cumbersome customer Dakota decadence December decimal designing detector
    detergent determine dictator dinosaur direction disable disbelief disruptive distortion
    document embezzle enchanting enrollment enterprise equation equipment escapade Eskimo
    everyday examine existence exodus fascinate filament finicky forever fortitude frequency
    gadgetry Galveston getaway glossary gossamer graduate gravity guitarist hamburger
    Hamilton handiwork hazardous headwaters hemisphere hesitate hideaway holiness hurricane
    hydraulic impartial impetus inception indigo inertia infancy inferno informant insincere
    insurgent integrate intention inventive Istanbul Jamaica Jupiter leprosy letterhead
    liberty maritime matchmaker maverick Medusa megaton microscope microwave midsummer
    millionaire miracle misnomer molasses molecule Montana monument mosquito narrative
    nebula newsletter Norwegian October Ohio onlooker opulent Orlando outfielder Pacific
    pandemic Pandora paperweight paragon paragraph paramount passenger pedigree Pegasus
    penetrate perceptive performance pharmacy phonetic photograph pioneer pocketful
    politeness positive potato processor provincial proximate puberty publisher pyramid
    quantity racketeer rebellion recipe recover repellent replica reproduce resistor
    responsive retraction retrieval retrospect revenue revival revolver sandalwood sardonic
    Saturday savagery scavenger sensation sociable souvenir specialist speculate stethoscope
    stupendous supportive surrender suspicious sympathy tambourine telephone therapist
    tobacco tolerance tomorrow torpedo tradition travesty trombonist truncated typewriter
    ultimate undaunted underfoot unicorn unify universe unravel upcoming vacancy vagabond
    vertigo Virginia visitor vocalist voyager warranty Waterloo whimsical Wichita Wilmington
    Wyoming yesteryear Yucatan
""".split()

_VALUE = {word.lower(): (byte, side) for side, words in enumerate((_EVEN, _ODD)) for byte, word in enumerate(words)}


def words_of(digest: bytes | str) -> list[str]:
    """The words of a digest (bytes or hex), one a byte: 32 for a SHA-256."""
    octets = bytes.fromhex(digest) if isinstance(digest, str) else digest
    return [(_ODD if place % 2 else _EVEN)[byte] for place, byte in enumerate(octets)]


def bytes_of(words: str) -> bytes:
    """The bytes that words stand for; upper and lower case, commas and any white space are the same.

    Raises ValueError that names the first word that is not in the list or is out of place.
    """
    octets = bytearray()
    for place, word in enumerate(words.replace(",", " ").split()):
        byte, side = _VALUE.get(word.lower(), (None, None))
        if byte is None:
            raise ValueError(f"word {place + 1}, {word!r}, is not in the word list")
        if side != place % 2:
            raise ValueError(f"word {place + 1}, {word!r}, is out of place: a word is missing, doubled or swapped before it")
        octets.append(byte)
    return bytes(octets)


def grouped(digest: bytes | str) -> str:
    """A digest (bytes or hex) as groups of four hex digits, as it is shown and printed."""
    digits = digest if isinstance(digest, str) else digest.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def fingerprint_typed(text: str) -> str:
    """The SHA-256 that somebody typed, as 64 lower-case hex digits, from hex digits or 32 words.

    Raises ValueError when it is neither, or not complete: a part of a fingerprint proves nothing.
    """
    digits = "".join(text.split()).lower()
    if digits and all(digit in "0123456789abcdef" for digit in digits):
        if len(digits) != 64:
            raise ValueError(f"a fingerprint has 64 hex digits, not {len(digits)}")
        return digits
    octets = bytes_of(text)
    if len(octets) != 32:
        raise ValueError(f"a fingerprint has 32 words, not {len(octets)}")
    return octets.hex()


def sha256_hex(octets: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits, the form every file of ours uses."""
    return hashlib.sha256(octets).hexdigest()


def check_words(code: str) -> list[str]:
    """The four words that stand beside a verification code on paper: those of the first four bytes of its SHA-256."""
    return words_of(hashlib.sha256(code.encode()).digest()[:4])
