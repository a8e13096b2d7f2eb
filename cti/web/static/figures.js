// Numbers of a screen: ring counts and durations. Pure.

/** Count the bursts begun in `rangMs`: the first sounds at 0, the second after one cycle. */
export const rings = (rangMs, cycleMs) => Math.floor(Math.max(0, rangMs) / cycleMs) + 1;

/** Write a duration as m:ss, or h:mm:ss from one hour on. */
export const duration = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
};

/** Milliseconds from an instant on the wire to `now`; null for no instant. */
export const since = (instant, now) => (instant === null ? null : now - Date.parse(instant));

/** How to write instants: in the house's zone, in the reader's language. */
export class Times {
  constructor(locale, zone) {
    const english = locale === 'en';
    const make = (options, timeZone = zone || 'UTC') => {
      try {
        return new Intl.DateTimeFormat(english ? 'en-GB' : locale, { ...options, hourCycle: 'h23', timeZone });
      } catch (fault) {
        if (timeZone === 'UTC') throw fault;
        return make(options, 'UTC'); // a zone that this browser does not know
      }
    };
    this.time = make({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
    this.short = make({ month: english ? 'short' : 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' });
    this.full = make({ dateStyle: 'full', timeStyle: 'long' });
    this.zone = make({ timeZoneName: 'short' })
      .formatToParts(0)
      .find((part) => part.type === 'timeZoneName').value;
  }
}
