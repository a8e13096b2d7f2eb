// <cti-player>: one recording. What the page holds works without this: <audio controls>, links, forms.
// Here come the waveform to seek on, skipping, speed, keys, and comments that do not reload the page.

const STEP = 5_000;
const LEAP = 15_000;

/** Write a moment as m:ss or h:mm:ss. */
export const clock = (ms) => {
  const whole = Math.floor(ms / 1000);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
};

/** Read such a moment, in milliseconds; NaN for what is none. */
export const readClock = (text) => {
  const parts = text.trim().split(':').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : NaN));
  return parts.length < 2 || parts.length > 3 ? NaN : parts.reduce((sum, part) => sum * 60 + part, 0) * 1000;
};

const TYPING = 'input:not([type="range"]), select, textarea';

export class CtiPlayer extends HTMLElement {
  #audio = null;
  #ready = false;
  #renewed = '';

  connectedCallback() {
    this.#audio = this.querySelector('audio');
    if (this.#audio === null || this.#ready) return;
    this.#ready = true;
    this.#audio.controls = false;
    for (const one of this.querySelectorAll('[hidden]')) one.hidden = false;
    for (const one of this.querySelectorAll('.jump')) this.#jumps(one);
    for (const one of this.querySelectorAll('.unmark')) this.#unmarks(one, one.action.split('/').at(-1));
    this.#listen();
    this.#tell();
  }

  get length() {
    const known = this.#audio.duration;
    return Number.isFinite(known) ? known * 1000 : Number(this.dataset.ms);
  }

  get now() {
    return this.#audio.currentTime * 1000;
  }

  #find(name) {
    return this.querySelector(name);
  }

  #listen() {
    const seek = this.#find('.seek');
    this.#find('.play').addEventListener('click', () => this.toggle());
    this.#find('.speed').addEventListener('change', (event) => this.#pace(Number(event.target.value)));
    for (const one of this.querySelectorAll('.skip-by')) one.addEventListener('click', () => this.skip(Number(one.dataset.by) * 1000));
    seek.addEventListener('input', () => this.seek(Number(seek.value)));
    for (const what of ['timeupdate', 'play', 'ended', 'durationchange']) this.#audio.addEventListener(what, () => this.#show());
    for (const what of ['pause', 'seeked']) this.#audio.addEventListener(what, () => this.#tell());
    this.#audio.addEventListener('playing', () => { this.#renewed = ''; });
    this.#audio.addEventListener('error', () => this.#renew());
    this.addEventListener('keydown', (event) => this.#key(event));
    this.#find('.mark-form')?.addEventListener('submit', (event) => this.#mark(event));
  }

  toggle() {
    if (this.#audio.paused) this.#start();
    else this.#audio.pause();
  }

  /** Go to a moment; what has not begun yet begins there. */
  seek(ms) {
    this.#audio.currentTime = Math.max(0, Math.min(ms, this.length)) / 1000;
    this.#tell();
  }

  skip(ms) {
    this.seek(this.now + ms);
  }

  #start() {
    for (const other of document.querySelectorAll('cti-player audio')) if (other !== this.#audio) other.pause();
    this.#audio.play().catch(() => {}); // `error` tells why
  }

  #show() {
    const seek = this.#find('.seek');
    seek.max = this.length;
    seek.value = this.now;
    this.#find('.time').textContent = `${clock(this.now)} / ${clock(this.length)}`;
    const play = this.#find('.play');
    play.textContent = this.#audio.paused ? play.dataset.play : play.dataset.pause;
  }

  /** Say where we are to who cannot see it: when it is asked for, not four times a second. */
  #tell() {
    this.#show();
    const said = this.dataset.of.replace('{at}', clock(this.now)).replace('{length}', clock(this.length));
    this.#find('.seek').setAttribute('aria-valuetext', said);
  }

  /** Speak faster or slower; a new address begins at the same pace. */
  #pace(speed) {
    this.#audio.defaultPlaybackRate = speed;
    this.#audio.playbackRate = speed;
  }

  #key(event) {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.target.matches(TYPING)) return;
    const step = event.shiftKey ? LEAP : STEP;
    if (event.key === ' ' && !event.target.matches('button, a, summary')) this.toggle();
    else if (event.key === 'ArrowLeft') this.skip(-step);
    else if (event.key === 'ArrowRight') this.skip(step);
    else if (event.key.toLowerCase() === 'm' && this.#find('.mark-form')) this.#write();
    else return;
    event.preventDefault();
  }

  /** Begin a comment at this moment. */
  #write() {
    const form = this.#find('.mark-form');
    form.elements.at.value = clock(this.now);
    form.elements.text.focus();
  }

  async #mark(event) {
    event.preventDefault();
    const form = event.target;
    const at = readClock(form.elements.at.value);
    const told = await this.#ask('markers', { at_ms: Number.isNaN(at) ? -1 : at, text: form.elements.text.value });
    if (told === null) return;
    this.#add(told);
    form.elements.text.value = '';
    this.#find('.seek').focus();
  }

  #add({ id, at_ms: at, text, who }) {
    const [line, jump, said, by, name] = ['li', 'button', 'bdi', 'span', 'bdi'].map((kind) => document.createElement(kind));
    jump.type = 'button';
    jump.className = 'jump quiet';
    jump.dataset.at = at;
    jump.textContent = clock(at);
    said.textContent = text;
    by.className = 'soft';
    name.textContent = who;
    by.append(name);
    line.append(jump, ' ', said, ' ', by, ' ', this.#unmark(id));
    this.#jumps(jump);
    const list = this.#find('.markers');
    const after = [...list.children].find((one) => Number(one.querySelector('.jump').dataset.at) > at);
    list.insertBefore(line, after ?? null);
  }

  /** The key that takes a comment away which was just made. */
  #unmark(id) {
    const form = document.createElement('form');
    const key = document.createElement('button');
    form.className = 'unmark';
    key.className = 'quiet';
    key.textContent = '×';
    key.title = this.dataset.unmark;
    key.setAttribute('aria-label', this.dataset.unmark);
    form.append(key);
    this.#unmarks(form, id);
    return form;
  }

  #unmarks(form, id) {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if ((await this.#ask(`markers/${encodeURIComponent(id)}`, null)) === null) return;
      form.closest('li').remove();
      this.#find('.seek').focus();
    });
  }

  #jumps(button) {
    button.disabled = false;
    button.addEventListener('click', () => {
      this.seek(Number(button.dataset.at));
      this.#start();
    });
  }

  /** The address is over, or nothing plays: ask for a new one, once, and go on where we were. */
  async #renew() {
    const at = this.now;
    if (this.#renewed === this.#audio.src) {
      this.#say(this.dataset.over);
      return;
    }
    const told = await this.#ask('address', null);
    if (told === null) return;
    this.#audio.src = told.address;
    this.#renewed = this.#audio.src;
    if (at) this.seek(at);
    this.#start();
  }

  /** Ask the server; say what it says where it refuses, and give nothing. */
  async #ask(what, body) {
    this.#say('');
    const headers = { 'X-CSRF': this.dataset.csrf };
    if (body !== null) headers['Content-Type'] = 'application/json';
    try {
      const answer = await fetch(`/api/v1/recordings/${this.dataset.id}/${what}`, { method: 'POST', headers, body: body && JSON.stringify(body) });
      const told = await answer.json();
      if (answer.ok) return told;
      this.#say(told.message);
    } catch {
      this.#say(this.dataset.over);
    }
    return null;
  }

  #say(text) {
    this.#find('.said').textContent = text;
  }
}

customElements.define('cti-player', CtiPlayer);
