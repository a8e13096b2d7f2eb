// Keys on every page: what was refused is met first, and Esc shuts what is open and goes back.

const fault = document.getElementById('fault');
if (fault) {
  fault.tabIndex = -1;
  fault.focus();
}

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing) return;
  const inside = document.activeElement?.closest('details[open]');
  const open = inside ?? document.querySelector('.top details[open]');
  if (open) {
    open.open = false;
    open.querySelector('summary').focus();
  }
});
