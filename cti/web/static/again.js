// A list that goes stale loads itself anew, but never under the hands of who is at work in it.

const EVERY = 30_000;

setInterval(() => {
  const busy = document.querySelector('main :is(a, button, input, select, textarea, summary):focus');
  if (document.visibilityState === 'visible' && !busy) location.reload();
}, EVERY);
