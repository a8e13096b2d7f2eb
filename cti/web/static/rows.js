// A table whose rows are picked: all at once, from row to row by J and K, many with Shift.

const boxes = [...document.querySelectorAll('input[name="pick"]')];
const all = document.querySelector('input[data-all]');
let last = 0;

const tell = () => {
  const picked = boxes.filter((box) => box.checked).length;
  all.checked = picked === boxes.length;
  all.indeterminate = picked > 0 && !all.checked;
};

const typing = (at) => at.matches('select, textarea, input:not([type="checkbox"])');

const move = (step) => {
  const here = boxes.findIndex((box) => box.closest('tr').contains(document.activeElement));
  const next = here < 0 ? last : Math.min(Math.max(here + step, 0), boxes.length - 1);
  boxes[next].focus();
};

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  a: () => all.click(),
  o: () => document.activeElement.closest('tr')?.querySelector('a')?.click(),
};

if (all && boxes.length) {
  all.hidden = false;
  document.querySelector('[data-keys]').hidden = false;
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
  });
  boxes.forEach((box, n) => box.addEventListener('click', (event) => {
    if (event.shiftKey) {
      for (const one of boxes.slice(Math.min(n, last), Math.max(n, last))) one.checked = box.checked;
    }
    last = n;
    tell();
  }));
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || typing(event.target)) return;
    const act = KEYS[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act();
    }
  });
  tell();
}
