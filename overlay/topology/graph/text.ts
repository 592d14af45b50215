/**
 * How wide a text is, without a font at hand: as wide as in the widest of the fonts that are usual, so
 * that a text has its place whichever of them a viewer has.
 *
 * @module
 */

/** What a text is, which says how it looks. */
export type Style = "name" | "bridge" | "link" | "address" | "note" | "badge" | "route" | "legend";

/** Sizes in pixels; `mono` is a font whose characters are all of one width. */
const FONTS: Readonly<Record<Style, { size: number; mono: boolean }>> = {
  name: { size: 13, mono: false },
  bridge: { size: 11, mono: true },
  link: { size: 11, mono: true },
  address: { size: 11, mono: true },
  note: { size: 11, mono: true },
  badge: { size: 10, mono: false },
  route: { size: 10, mono: true },
  legend: { size: 11, mono: false },
};

/** The widths of characters in bold sans fonts (DejaVu, Liberation, Noto), in thousandths of the size. */
const SANS = new Map(
  Object.entries({
    " 'ijl": 350,
    ",.:;I·": 400,
    "!()-/[\\]f": 460,
    "`rt": 500,
    '"*J_|': 560,
    csz: 610,
    "?Lvxy": 660,
    "$0123456789EFTaeko": 700,
    "SYZbdghnpqu{}": 730,
    ABCKPRVX: 780,
    "#+<=>DGHNU^~±×": 840,
    "&OQ": 880,
    w: 930,
    "M→↓↑": 1000,
    "%@m": 1050,
    W: 1110,
  }).flatMap(([characters, width]) => [...characters].map((it) => [it, width] as const)),
);
const MONO = 605;
/** What fonts lack is taken from others, where nobody knows how wide it is. */
const UNKNOWN = { basic: 1200, beyond: 1600 };

/** The width of a text in pixels, rounded up. */
export function widthOf(text: string, style: Style): number {
  const { size, mono } = FONTS[style];
  const widths = [...text].map((character) =>
    mono && /[\x20-\x7e·]/.test(character) ? MONO : (mono ? undefined : SANS.get(character)) ??
      (character.length > 1 ? UNKNOWN.beyond : UNKNOWN.basic)
  );
  return Math.ceil(widths.reduce((sum, width) => sum + width, 0) * size / 1000);
}

/** The size of a text's font in pixels. */
export function sizeOf(style: Style): number {
  return FONTS[style].size;
}

/** A long text in pieces of some characters at most, broken after marks where there are some. */
export function pieces(text: string, longest: number): string[] {
  const characters = [...text];
  if (characters.length <= longest) return [text];
  const start = characters.slice(0, longest).join("");
  const [first] = /^.*[-._/: ]/su.exec(start) ?? [start];
  return [first, ...pieces(text.slice(first.length), longest)];
}
