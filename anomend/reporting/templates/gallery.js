// Looking at pairs of images: enlarging, comparing, filtering. Without this script the page still shows its examples.
(() => {
  'use strict';
  const { folder, models, outcomes, pairs } = JSON.parse(document.getElementById('pairs').textContent);
  const byNumber = (selector) => document.querySelector(selector);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const embedded = (pair, side) =>
    document.querySelectorAll(`main > section:not(#all) .pair[data-pair="${pair.embedded}"] img`)[side]?.src;
  const address = (pair, side) =>
    folder && [folder, ['base', 'tuned'][side], encodeURIComponent(pair.files[side])].join('/');

  // When, by whom and at which commit: the file made.js beside the page says so, if it is there.
  document.addEventListener('made', ({ detail: { date, by, commit } }) => {
    byNumber('#made').textContent =
      `Made ${date}${by ? ` by ${by}` : ''}${commit ? `, on top of commit ${commit}` : ''}.`;
  }, { once: true });

  // Are the full-resolution pictures beside the page?
  const beside = new Promise((resolve) => {
    const first = pairs[0] && address(pairs[0], 0);
    if (!first) return resolve(false);
    const probe = make('img');
    probe.onload = () => resolve(true);
    probe.onerror = () => resolve(false);
    probe.src = first;
  });

  // The viewer.
  const viewer = byNumber('#viewer');
  const stage = viewer.querySelector('.stage');
  const images = [...stage.querySelectorAll('img')];
  const range = viewer.querySelector('input');
  const button = (name) => viewer.querySelector(`[data-do="${name}"]`);
  let shown = [];
  let place = 0;

  const show = (index) => {
    place = (index + shown.length) % shown.length;
    const pair = shown[place];
    const size = viewer.querySelector('.size');
    size.textContent = '';
    images.forEach((image, side) => {
      const model = models[side];
      const preview = embedded(pair, side);
      image.alt = `${model} image of '${pair.prompt}', seed ${pair.seed}: ${pair.findings[side]}`;
      image.removeAttribute('src');
      if (preview) image.src = preview;
      const full = make('img');
      const current = () => shown[place] === pair && viewer.open;
      full.onload = () => {
        if (!current()) return;
        image.src = full.src;
        size.textContent = `Full resolution: ${full.naturalWidth} × ${full.naturalHeight} pixels.`;
      };
      full.onerror = () => {
        if (!current()) return;
        size.textContent = preview
          ? `A preview of ${image.naturalWidth} pixels: the full-resolution picture is not beside this page. ` +
            'In a clone of the repository, `dvc pull` brings it.'
          : 'This picture is not beside this page. In a clone of the repository, `dvc pull` brings it.';
      };
      const target = address(pair, side);
      if (target) full.src = target;
      image.closest('figure').querySelector('figcaption').textContent = `${model}: ${pair.findings[side]}`;
      image.closest('figure').classList.toggle('anomalous', !['no anomaly', 'not assessed'].includes(pair.findings[side]));
    });
    viewer.querySelector('.about').textContent = `${place + 1} of ${shown.length}: ${pair.prompt} (${pair.group}), ` +
      `seed ${pair.seed}. ${outcomes[pair.outcome]}.${pair.raters ? ` ${pair.raters}` : ''}`;
  };
  const cut = (percent) => {
    range.value = percent;
    stage.style.setProperty('--cut', `${range.value}%`);
  };
  const toggle = (name, on = !stage.classList.contains(name)) => {
    stage.classList.toggle(name, on);
    button(name).setAttribute('aria-pressed', on);
    if (name === 'slider') {
      range.parentElement.hidden = !on;
      cut(50);
      if (on) toggle('zoom', false);
    } else if (on) {
      toggle('slider', false);
    }
    stage.scrollTo(0, 0);
  };
  const open = (list, index) => {
    shown = list;
    viewer.showModal();
    show(index);
  };
  const actions = {
    previous: () => show(place - 1),
    next: () => show(place + 1),
    slider: () => toggle('slider'),
    zoom: () => toggle('zoom'),
    close: () => viewer.close(),
  };
  for (const [name, act] of Object.entries(actions)) button(name).addEventListener('click', act);
  range.addEventListener('input', () => cut(range.value));
  viewer.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const name = { ArrowLeft: 'previous', ArrowRight: 'next', s: 'slider', z: 'zoom' }[event.key];
    if (!name || (event.target === range && event.key.startsWith('Arrow'))) return;
    event.preventDefault();
    actions[name]();
  });
  // By touch or pointer: the slider follows, else a swipe turns the page; native pixels are scrolled.
  let start = null;
  const slide = (event) => {
    const box = images[0].getBoundingClientRect();
    cut((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener('pointerdown', (event) => {
    start = event;
    if (stage.classList.contains('slider')) {
      stage.setPointerCapture(event.pointerId);
      slide(event);
    }
  });
  stage.addEventListener('pointermove', (event) => {
    if (start && stage.classList.contains('slider')) slide(event);
  });
  stage.addEventListener('pointerup', (event) => {
    const [across, down] = start ? [event.clientX - start.clientX, event.clientY - start.clientY] : [0, 0];
    start = null;
    if (stage.classList.contains('slider') || stage.classList.contains('zoom')) return;
    if (Math.abs(across) > 40 && Math.abs(across) > Math.abs(down)) show(place + (across < 0 ? 1 : -1));
  });
  stage.addEventListener('pointercancel', () => (start = null));
  stage.addEventListener('dragstart', (event) => event.preventDefault());

  // The examples of the page: each opens among its neighbours.
  const numbered = new Map(pairs.map((pair) => [String(pair.embedded), pair]));
  for (const cards of document.querySelectorAll('main > section:not(#all) .cards')) {
    const buttons = [...cards.querySelectorAll('.pair')];
    const list = buttons.map((each) => numbered.get(each.dataset.pair));
    buttons.forEach((each, index) => each.addEventListener('click', () => open(list, index)));
  }

  // All pairs, by filter.
  const STEP = 12;
  const form = byNumber('.filters');
  const cards = byNumber('#cards');
  const more = byNumber('#more');
  let matching = [];
  const card = (pair, index, there) => {
    const opener = make('button', { type: 'button', className: 'pair' });
    opener.setAttribute('aria-label', `Enlarge: ${pair.prompt}, seed ${pair.seed}`);
    opener.addEventListener('click', () => open(matching, index));
    [0, 1].forEach((side) => {
      const image = make('img', {
        loading: 'lazy',
        alt: `${models[side]} image of '${pair.prompt}', seed ${pair.seed}: ${pair.findings[side]}`,
        src: embedded(pair, side) ?? (there && address(pair, side)),
      });
      const wrong = !['no anomaly', 'not assessed'].includes(pair.findings[side]);
      const frame = make('span', { className: `image${wrong ? ' anomalous' : ''}` }, image);
      if (wrong) frame.append(make('span', { className: 'badge', ariaHidden: 'true', textContent: '✗' }));
      opener.append(frame);
    });
    const caption = make('figcaption', {}, make('span', { textContent: `${pair.prompt}, seed ${pair.seed}` }),
      ` ${pair.findings.join(' → ')}`);
    if (pair.raters) caption.append(make('br'), pair.raters);
    return make('figure', { className: 'card' }, opener, caption);
  };
  const add = async () => {
    const there = await beside;
    const from = cards.children.length;
    cards.append(...matching.slice(from, from + STEP).map((pair, index) => card(pair, from + index, there)));
    more.hidden = cards.children.length >= matching.length;
  };
  const filter = async (event) => {
    event?.preventDefault();
    const wanted = Object.fromEntries(new FormData(form));
    const there = await beside;
    byNumber('#missing').hidden = there;
    const all = pairs.filter((pair) =>
      (!wanted.prompt || pair.prompt === wanted.prompt) &&
      (!wanted.outcome || pair.outcome === wanted.outcome ||
        (wanted.outcome === 'changed' && ['fixed', 'broken'].includes(pair.outcome))) &&
      (!wanted.kind || pair.kinds.includes(wanted.kind)) &&
      (!wanted.raters || pair.raters));
    matching = there ? all : all.filter((pair) => pair.embedded !== null);
    // What got worse comes first.
    const order = Object.keys(outcomes);
    matching.sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
    byNumber('#found').textContent = `${all.length} of ${pairs.length} pairs` +
      (there ? '.' : `; the page itself holds ${matching.length} of them.`);
    cards.replaceChildren();
    await add();
  };
  form.addEventListener('submit', filter);
  form.addEventListener('change', filter);
  more.addEventListener('click', add);
})();
