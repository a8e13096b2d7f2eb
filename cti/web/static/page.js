// Our own page with <cti-agent>: its title counts the calls that ring, for who looks elsewhere.

const title = document.title;
const ringing = new Set();

const count = (change) => (event) => {
  ringing[change](event.detail.call);
  document.title = ringing.size ? `(${ringing.size}) ${title}` : title;
};

document.addEventListener('cti:ringing', count('add'));
document.addEventListener('cti:answered', count('delete'));
document.addEventListener('cti:ended', count('delete'));
