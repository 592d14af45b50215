/**
 * The lines between two layers: straight down where both ends can stand above each other, otherwise on
 * tracks, each a level that no other line has there.
 *
 * @module
 */

import { type End, GRID } from "./items.ts";
import type { Knot, Side } from "./layers.ts";

/** Where a line ends at what is above or below it. */
export interface Contact {
  net: string;
  /** The side of what it ends at. */
  side: Side;
  knot: Knot;
  end: End;
  /**
   * At the bar that all of the net hangs from: its lines are straight where they can be, and begin at one of
   * these places where not; and whether other nets have lines at that side of it.
   */
  own?: { left: number; right: number; isShared: boolean } | undefined;
}

/** Contacts that are joined. */
export interface Wire {
  net: string;
  contacts: Contact[];
}

/** A wire on a track. */
export interface Tracked extends Wire {
  /** Its contacts with their places; of a bar that is above or below, which of its places. */
  ends: { contact: Contact; x: number }[];
  /** Counted from the top. */
  track: number;
}

/** What is between two layers. */
export interface Channel {
  straight: Wire[];
  tracked: Tracked[];
  tracks: number;
}

/** On one track lines are at least so far apart. */
const NEAR = 6;

/** How far a contact is from the left. */
export const xOf = ({ knot, end }: Contact): number => knot.x + end.at;

const bestOf = ({ knot, end }: Contact) => knot.x + (end.best ?? end.at);
const rangeOf = ({ knot, end }: Contact) => ({ lo: knot.x + end.lo, hi: knot.x + end.hi });

/** Leads the lines of a channel. */
export function channelOf(wires: readonly Wire[]): Channel {
  const straight: Wire[] = [];
  const bent: Omit<Tracked, "track">[] = [];
  for (const wire of wires.filter(({ contacts }) => contacts.length > 1)) {
    const bar = wire.contacts.find(({ own }) => own !== undefined);
    if (bar !== undefined) {
      straight.push(...belowBar(wire, bar));
      bent.push(...besideBar(wire, bar));
    } else if (align(wire.contacts)) straight.push(wire);
    else {
      alignOne(wire.contacts);
      const ends = wire.contacts.map((contact) => ({ contact, x: xOf(contact) }));
      bent.push({ ...wire, ends });
    }
  }
  const tracked = assignTracks(bent);
  return { straight, tracked, tracks: Math.max(0, ...tracked.map(({ track }) => track + 1)) };
}

/** Moves two contacts above each other, if they can be. */
function align(contacts: readonly Contact[]): boolean {
  const [a, b] = contacts;
  if (contacts.length !== 2 || a!.side === b!.side) return false;
  const [one, two] = [rangeOf(a!), rangeOf(b!)];
  const [lo, hi] = [Math.max(one.lo, two.lo), Math.min(one.hi, two.hi)];
  const within = (x: number) => Math.min(hi, Math.max(lo, x));
  // What has less room keeps its place.
  const best = within(bestOf(one.hi - one.lo <= two.hi - two.lo ? a! : b!));
  const outer = contacts.find(({ knot }) => knot.item === undefined);
  const x = outer === undefined ? best : nearestPlace(outer, best);
  if (x < lo || x > hi) return false;
  for (const { knot, end } of contacts) {
    Object.assign(end, { at: x - knot.x, lo: lo - knot.x, hi: hi - knot.x, best: best - knot.x });
  }
  return true;
}

/** The place of a line that leads outside where no other layer's lines end, near another one. */
function nearestPlace(contact: Contact, x: number): number {
  const at = xOf(contact);
  return at + Math.round((x - at) / GRID) * GRID;
}

/** Moves what is alone on its side above or below the nearest of the others, if it can be. */
function alignOne(contacts: readonly Contact[]): void {
  for (const side of ["top", "bottom"] as const) {
    const [alone, second] = contacts.filter((contact) => contact.side === side);
    if (alone === undefined || second !== undefined || alone.knot.item === undefined) continue;
    const { lo, hi } = rangeOf(alone);
    const xs = contacts.filter((it) => it !== alone).map(xOf).filter((x) => lo <= x && x <= hi)
      .toSorted((a, b) => Math.abs(a - xOf(alone)) - Math.abs(b - xOf(alone)));
    if (xs[0] !== undefined) alone.end.at = xs[0] - alone.knot.x;
    return;
  }
}

const isAcross = (contact: Contact, bar: Contact) => {
  const { lo, hi } = rangeOf(bar);
  return contact.side !== bar.side && xOf(contact) >= lo && xOf(contact) <= hi;
};

/** What is straight below or above a bar. */
function belowBar({ net, contacts }: Wire, bar: Contact): Wire[] {
  const { lo, hi } = rangeOf(bar);
  return contacts.filter((contact) => contact !== bar && isAcross(contact, bar)).map((contact) => {
    const { knot, end } = contact;
    if (bar.own!.isShared) Object.assign(end, { lo: end.at, hi: end.at, best: end.at });
    end.lo = Math.max(end.lo, lo - knot.x);
    end.hi = Math.min(end.hi, hi - knot.x);
    // A line that leads outside had best be in the middle, if its other end likes it.
    const isOuter = knot.item === undefined;
    const best = isOuter ? bar.knot.x + bar.knot.width / 2 : bestOf(contact);
    end.best = Math.min(end.hi, Math.max(end.lo, best - knot.x));
    if (!isOuter) end.at = end.best;
    return { net, contacts: [bar, contact] };
  });
}

/** What is not, at the nearer end of the bar. */
function besideBar({ net, contacts }: Wire, bar: Contact): Omit<Tracked, "track">[] {
  const { knot, own } = bar;
  const others = contacts.filter((contact) => contact !== bar && !isAcross(contact, bar));
  const sides = Map.groupBy(
    others,
    (it) => xOf(it) < knot.x + knot.width / 2 ? own!.left : own!.right,
  );
  return [...sides].map(([at, list]) => ({
    net,
    contacts: [bar, ...list],
    ends: [
      { contact: bar, x: knot.x + at },
      ...list.map((contact) => ({ contact, x: xOf(contact) })),
    ],
  }));
}

/** A wire with the places of its ends at the top and at the bottom of the channel. */
interface Span {
  wire: Omit<Tracked, "track">;
  top: number[];
  bottom: number[];
  lo: number;
  hi: number;
  order: [number, number];
}

/** Gives each wire a level of its own among those beside it, such that few cross. */
function assignTracks(wires: readonly Omit<Tracked, "track">[]): Tracked[] {
  const waiting = wires.map(spanOf).toSorted((a, b) =>
    a.order[0] - b.order[0] || a.order[1] - b.order[1] || a.lo - b.lo || a.hi - b.hi
  );
  const done: (Span & { track: number })[] = [];
  while (waiting.length > 0) {
    // Where one ends above another, it has to turn off first.
    const isBlocked = (span: Span) => span.bottom.some((x) => isTaken(x, span, waiting));
    const free = waiting.findIndex((span) => !isBlocked(span));
    const dodging = free >= 0 ? -1 : waiting.findIndex((span) => dodge(span, waiting));
    if (dodging >= 0) {
      waiting[dodging] = spanOf(waiting[dodging]!.wire);
      continue;
    }
    const [span] = waiting.splice(Math.max(0, free), 1) as [Span];
    const beside = done.filter(({ lo, hi }) => lo < span.hi + NEAR && span.lo < hi + NEAR);
    done.push({ ...span, track: Math.max(-1, ...beside.map(({ track }) => track)) + 1 });
  }
  return done.map(({ wire, track }) => ({ ...wire, track }));
}

const isTaken = (x: number, own: Span, all: readonly Span[]) =>
  all.some((span) => span !== own && span.top.includes(x));

/** Moves an end at the bottom from below that of another wire, where two are each below the other. */
function dodge(span: Span, all: readonly Span[]): boolean {
  const end = span.wire.ends.find(({ contact: { side, knot, end, own }, x }) =>
    side === "top" && isTaken(x, span, all) &&
    (knot.item === undefined || own !== undefined || end.at + NEAR <= end.hi)
  );
  if (end === undefined) return false;
  end.x += NEAR;
  end.contact.end.at += NEAR;
  return true;
}

function spanOf(wire: Omit<Tracked, "track">): Span {
  const at = (side: Side) =>
    wire.ends.filter(({ contact }) => contact.side === side).map(({ x }) => x);
  const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
  // What ends at the top of the channel ends at the bottom of an item.
  const [top, bottom] = [at("bottom"), at("top")];
  const [lo, hi] = [Math.min(...top, ...bottom), Math.max(...top, ...bottom)];
  // Of those that lead back to the layer that they come from, the shorter is nearer to it.
  const order: Span["order"] = bottom.length === 0
    ? [0, hi - lo]
    : top.length === 0
    ? [3, lo - hi]
    : mean(bottom) >= mean(top)
    ? [1, -Math.max(...top)]
    : [2, Math.min(...top)];
  return { wire, top, bottom, lo, hi, order };
}
