// One card, drawn. Everything that comes from outside goes through `clean`, and into <bdi>.

import { html, nothing, repeat } from './vendor/lit-3.3.3.js';
import { duration, rings, since } from './figures.js';
import { marks, shape } from './shapes.js';
import { clean, isolated } from './words.js';

const CONTACTS = 5;

/** Outside text: cleaned, isolated, in the language of customers' names. */
const outside = (text, names) => html`<bdi lang=${names || nothing}>${clean(text)}</bdi>`;

/** A customer's tier: our word for a common code, else the house's own; nothing for `normal`. */
const drawTier = ({ tier }, words, names) => {
  const text = tier ? (words.texts[`tier.${tier.toLowerCase()}`] ?? tier) : '';
  return text ? html` <span class="tier">${outside(text, text === tier ? names : '')}</span>` : nothing;
};

/** The customer that the card is about: chosen, or the only one. */
export const subject = (card) =>
  card.customers.find((one) => one.id === card.chosen) ??
  (card.customers.length === 1 ? card.customers[0] : null);

/** Whom the card names: a customer, else the number, else why there is none. */
export const title = (card, words) => {
  const customer = subject(card);
  if (customer) return clean(customer.name);
  if (card.number === 'anonymous') return words.say('card.anonymous');
  if (card.customers.length) return clean(card.shown ?? card.number);
  return card.number === null ? words.say('card.no_number') : words.say('card.unknown');
};

/** The ring count now, or when it was answered; null if nothing rang or it is not known. */
export const ringCount = (card, moment) => {
  if (card.rang_at === null) return null;
  const end = card.answered_at === null ? moment : Date.parse(card.answered_at);
  return rings(end - Date.parse(card.rang_at), card.cycle_ms);
};

/** What to say of a card that ended. */
export const ending = (card, words) => {
  const by = card.by && { by: isolated(card.by) };
  if (by && ['answered_elsewhere', 'answered'].includes(card.outcome)) return words.say('outcome.answered_by', by);
  if (by && card.outcome === 'picked_up_by_other') return words.say('outcome.picked_up_by', by);
  if (by && card.outcome === 'transferred') return words.say('outcome.transferred_to', by);
  return words.name('outcome', card.outcome ?? 'unknown');
};

/** Draw one card. `it`: {card, choosing, fault}; `on.choose(id)` is told what was chosen, `on.record(deed)` what to do. */
export const drawCard = (it, { words, times, moment, names, person, on }) => {
  const { card } = it;
  const n = ringCount(card, moment);
  return html`
    <header>
      <div class="line">
        <span class="what">${shape(`call.${card.state}`)} ${words.say(`card.direction.${card.direction}`)}
          <span class="soft">${words.say(`card.state.${card.state}`)}</span></span>
        ${n === null ? nothing : drawRings(card, n, words)}
      </div>
      <h2 id="t-${card.call}">${drawTitle(card, words, names)}</h2>
      ${drawUnder(card, words, names)}
      ${drawFacts(card, { words, moment, names })}
    </header>
    ${card.customers.length > 1 ? drawChoice(it, words, names, on) : nothing}
    ${card.recording ? drawRecording(it, words, moment, on) : nothing}
    ${card.direction === 'inbound' ? drawSay(card, n, words, person) : nothing}
    ${drawOwed(card, words, times)}
    ${drawContacts(card, words, times, names)}`;
};

const drawRings = (card, n, words) => {
  const late = n > card.standard;
  const about = card.approximate ? html`<span title=${words.say('card.about_text')}>${words.say('card.about')} </span>` : nothing;
  return html`<span class="rings ${late ? 'amber' : ''}">
    <span aria-hidden="true">${about}<span class="word">${words.say('card.rings')}</span> <b>${n} / ${card.standard}</b></span>
    ${marks(n, card.standard, card.apologise_from)}
    <span class="hidden">${card.approximate ? words.say('card.about') : nothing} ${words.say('card.rings_label', { n, standard: card.standard })}${late ? `, ${words.say('card.rings_late')}` : nothing}</span>
  </span>`;
};

const drawTitle = (card, words, names) => {
  const customer = subject(card);
  if (!customer) return html`<bdi>${title(card, words)}</bdi>`;
  return html`${outside(customer.name, names)}${drawTier(customer, words, names)}`;
};

/** The line below the name: number, company, area; or why nobody was found. */
const drawUnder = (card, words, names) => {
  const customer = subject(card);
  const withheld = card.number === 'anonymous' || card.number === null;
  const number = withheld ? nothing : html`<span class="number"><bdi>${clean(card.shown ?? card.number)}</bdi></span>`;
  const more = customer ? [customer.company, customer.area].filter(Boolean).map((one) => html`<span>${outside(one, names)}</span>`) : [];
  const reason = card.number === 'anonymous' ? 'card.anonymous_text' : withheld ? 'card.no_number_text' : 'card.unknown_text';
  const sent = clean(card.caller_name);
  return html`<p class="under">${card.customers.length > 1 && !customer ? nothing : number}${more}${
    card.customers.length ? nothing : html`<span class="soft">${words.say(reason)}</span>`
  }${!customer && sent ? html`<span class="soft">${words.say('card.network_name', { name: isolated(sent) })}</span>` : nothing}</p>`;
};

const drawFacts = (card, { words, moment, names }) => {
  const talking = card.answered_at !== null;
  const waited = card.waiting_since === null ? null
    : (talking ? Date.parse(card.answered_at) : moment) - Date.parse(card.waiting_since);
  const fact = (key, value) => html`<div><dt>${words.say(key)}</dt><dd>${value}</dd></div>`;
  return html`<dl class="facts">
    ${card.line === null ? nothing : fact('card.line', outside(card.line, names))}
    ${card.queue === null ? nothing : fact('card.queue', outside(card.queue, names))}
    ${waited === null ? nothing : fact('card.waiting', duration(waited))}
    ${talking ? fact('card.talk', html`<b class="talk">${duration(since(card.answered_at, moment))}</b>`) : nothing}
  </dl>`;
};

/** What to say first. Both texts lie in one place from the start, so that nothing moves at ring 5. */
const drawSay = (card, n, words, person) => {
  const sorry = n !== null && n >= card.apologise_from;
  const facts = { name: isolated(person.name), number: isolated(person.number) };
  const one = (key, text, shown) => html`<div class=${shown ? 'shown' : 'kept'} aria-hidden=${!shown}>
    <span class="label ${key === 'card.say_sorry' ? 'amber' : 'soft'}">${key === 'card.say_sorry' ? html`${shape('limit')} ` : nothing}${words.say(key)}</span>
    <q>${words.say(text, facts)}</q></div>`;
  return html`<div class="say ${sorry ? 'sorry' : ''}">
    ${one('card.say', 'card.greeting', !sorry)}${one('card.say_sorry', 'card.apology', sorry)}
  </div>`;
};

const drawChoice = ({ card, choosing, fault }, words, names, on) => {
  const row = (one) => {
    const chosen = one.id === card.chosen;
    return html`<li><button class="pick" aria-pressed=${chosen} aria-disabled=${choosing} @click=${() => on.choose(chosen ? null : one.id)}>
      <span class="tick">${chosen ? shape('check') : nothing}</span>
      <span class="pick-text"><span><b>${outside(one.name, names)}</b>${drawTier(one, words, names)}</span>
        <span class="apart soft">${[one.company, one.area, ...one.phones.filter((phone) => phone !== card.number)].filter(Boolean).map((part) => html`<span>${outside(part, names)}</span>`)}</span></span>
      <span class="pick-word soft">${words.say(chosen ? 'card.chosen' : 'card.choose')}</span>
    </button></li>`;
  };
  return html`<section class="choice" aria-label=${words.say('card.which', { n: card.customers.length })}>
    <p class="label soft">${words.say('card.which', { n: card.customers.length })}</p>
    <ul>${repeat(card.customers, (one) => one.id, row)}</ul>
    <p class="under" role="status">${fault ? words.say('card.choose_failed', { why: fault }) : choosing ? words.say('card.choosing') : nothing}</p>
  </section>`;
};

/** The return visits that are owed to the customer: they can be made in this call. */
const drawOwed = (card, words, times) => {
  const customer = subject(card);
  const owed = customer ? card.owed.filter((one) => one.customer === customer.id) : [];
  if (!owed.length) return nothing;
  return html`<section class="owed"><h3 class="label soft">${words.say('card.owed')}</h3>
    <ul>${owed.map((one) => html`<li class=${one.late ? 'amber' : ''}><a href="/visits/${one.visit}" target="_blank" rel="noopener">${words.say(one.late ? 'card.owed_late' : 'card.owed_by', { at: times.short.format(Date.parse(one.due_at)) })}</a></li>`)}</ul>
  </section>`;
};

/** How a call is recorded, in one word: `refused` for one that is paused because the customer refuses. */
export const recorded = ({ state, why }) => (state === 'paused' && why === 'refused' ? 'refused' : state);

/** What is recorded now, and the keys to change that. The seconds run beside what is read aloud. */
const drawRecording = ({ card, doing, deedFault }, words, moment, on) => {
  const { recording } = card;
  const how = recorded(recording);
  const left = recording.until === null ? null : Math.max(0, Date.parse(recording.until) - moment);
  const told = recording.state === 'on' && recording.told !== 'need_not' ? words.say(`rec.told.${recording.told}`) : '';
  return html`<section class="rec ${recording.state}" aria-label=${words.say('rec.label')}>
    <p class="rec-now"><span role="status"><span class="rec-how">${shape(`rec.${recording.state}`)} ${words.say(`rec.${how}`)}</span>
      ${told ? html`<span class="soft">${told}</span>` : nothing}</span>
      ${recording.since === null ? nothing : html`<span aria-hidden="true">${duration(since(recording.since, moment))}</span>`}
      ${left === null ? nothing : html`<span class="soft" aria-hidden="true">${words.say('rec.until', { time: duration(left) })}</span>`}</p>
    <p class="rec-keys">${recording.may.map((deed) => html`<button aria-disabled=${doing} @click=${() => on.record(deed)}>${words.say(`rec.do.${deed}`)}</button>`)}</p>
    <p class="rec-fault amber" role="alert">${deedFault ? words.say('rec.failed', { why: deedFault }) : nothing}</p>
  </section>`;
};

const drawContacts = (card, words, times, names) => {
  if (!card.contacts.length) {
    return subject(card) ? html`<p class="contacts-none soft">${words.say('card.no_contacts')}</p>` : nothing;
  }
  const row = (one) => {
    const at = Date.parse(one.at);
    const was = words.name('was', one.outcome);
    const outcome = one.reason ? words.say('was.why', { outcome: was, reason: words.name('reason', one.reason) }) : was;
    return html`<li>
      <time datetime=${one.at} title=${times.full.format(at)}>${times.short.format(at)}</time>
      <span class="way">${shape(`way.${one.direction}`)} ${words.name('contact', one.direction)}</span>
      <span class="how">${outcome}${one.recording === null ? nothing : html` <a href="/recordings/${one.recording}" target="_blank" rel="noopener">${words.say('contact.listen')}</a>`}</span>
      <span class="who">${one.agent ? outside(one.agent, names) : nothing}</span>
      <span class="nums"><span class="num">${one.rings === null ? nothing : words.say('contact.rings', { n: one.rings })}</span>
        <span class="num">${one.talk_ms === null ? nothing : words.say('contact.talk', { time: duration(one.talk_ms) })}</span></span>
    </li>`;
  };
  return html`<section class="contacts">
    <h3 class="label soft">${words.say('card.contacts')} <span class="zone">${times.zone}</span></h3>
    <ol>${card.contacts.slice(0, CONTACTS).map(row)}</ol>
  </section>`;
};
