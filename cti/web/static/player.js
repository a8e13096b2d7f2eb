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
  #fresh = false;

  connectedCallback() {
    this.#audio = this.querySelector('audio');
    if (this.#audio === null || this.#fresh) return;
    this.#fresh = true;
    this.#audio.controls = false;
    for (const one of this.querySelectorAll('[hidden]')) one.hidden = false;
    for (const one of this.querySelectorAll('.jump')) this.#jumps(one);
    this.#listen();
    this.#show();
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
    this.#find('.speed').addEventListener('change', (event) => { this.#audio.playbackRate = Number(event.target.value); });
    for (const one of this.querySelectorAll('.skip-by')) one.addEventListener('click', () => this.skip(Number(one.dataset.by) * 1000));
    seek.addEventListener('input', () => this.seek(Number(seek.value)));
    for (const what of ['timeupdate', 'play', 'pause', 'ended', 'durationchange', 'seeked']) this.#audio.addEventListener(what, () => this.#show());
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
    this.#show();
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
    const said = `${clock(this.now)} / ${clock(this.length)}`;
    seek.max = this.length;
    seek.value = this.now;
    seek.setAttribute('aria-valuetext', this.dataset.of.replace('{at}', clock(this.now)).replace('{length}', clock(this.length)));
    seek.style.setProperty('--part', this.length ? this.now / this.length : 0);
    this.#find('.time').textContent = said;
    const play = this.#find('.play');
    play.textContent = this.#audio.paused ? play.dataset.play : play.dataset.pause;
  }

  #key(event) {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.target.matches(TYPING)) return;
    const step = event.shiftKey ? LEAP : STEP;
    if (event.key === ' ' && !event.target.matches('button, a, summary')) this.toggle();
    else if (event.key === 'ArrowLeft') this.skip(-step);
    else if (event.key === 'ArrowRight') this.skip(step);
    else if (event.key === 'm' && this.#find('.mark-form')) this.#write();
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

  #add({ at_ms: at, text, who }) {
    const [line, jump, said, by, name] = ['li', 'button', 'bdi', 'span', 'bdi'].map((kind) => document.createElement(kind));
    jump.type = 'button';
    jump.className = 'jump quiet';
    jump.dataset.at = at;
    jump.textContent = clock(at);
    said.textContent = text;
    by.className = 'soft';
    name.textContent = who;
    by.append(name);
    line.append(jump, ' ', said, ' ', by);
    this.#jumps(jump);
    const list = this.#find('.markers');
    const after = [...list.children].find((one) => Number(one.querySelector('.jump').dataset.at) > at);
    list.insertBefore(line, after ?? null);
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
    if (this.#audio.dataset.renewed === this.#audio.src) {
      this.#say(this.dataset.over);
      return;
    }
    const told = await this.#ask('address', null);
    if (told === null) return;
    this.#audio.src = told.address;
    this.#audio.dataset.renewed = this.#audio.src;
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
