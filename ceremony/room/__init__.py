"""Everything impure: one file a verb, and the room that hands each of them token, media, clock and folder."""
