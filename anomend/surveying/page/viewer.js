// A picture that can be looked at closely: zoom by click, wheel, pinch and keyboard, and places marked by click or key.
// Places are shares of the picture's width and height from its upper left.
"use strict";

const TAP = 8; // Pixels that a finger may move while it taps.

class Viewer {
  constructor(source, label) {
    this.image = element("img", { src: source, alt: "", draggable: false });
    this.cross = element("span", { className: "cross", hidden: true });
    this.layer = element("div", { className: "layer" }, this.image, this.cross);
    this.stage = element("div", { className: "stage", tabIndex: 0 }, this.layer);
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", label);
    this.onPlace = null; // While a place is asked for: what is given it.
    this.onMove = null; // Called after the view has changed, unless it followed another one's.
    this.scale = 1;
    this.at = { x: 0, y: 0 };
    this.aim = { x: 0.5, y: 0.5 };
    this.pointers = new Map();
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "click"]) {
      this.stage.addEventListener(name, (event) => this[name](event));
    }
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(this.stage);
  }

  close() {
    this.watcher.disconnect();
  }

  // At scale 1 all of the picture is in the stage.
  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const { naturalWidth, naturalHeight } = this.image;
    if (!naturalWidth || !width) return;
    this.unit = Math.min(width / naturalWidth, height / naturalHeight);
    this.layer.style.width = `${naturalWidth * this.unit}px`;
    this.layer.style.height = `${naturalHeight * this.unit}px`;
    this.zoom(this.scale, width / 2, height / 2);
  }

  // The scale at which a pixel of the picture is a pixel of the page; twice the whole picture's where that is no zoom.
  get detail() {
    const native = 1 / this.unit;
    return native > 1.2 ? native : 2;
  }

  // Changes the scale, and keeps what is at a point of the stage there as far as the picture reaches.
  zoom(scale, x, y) {
    const wanted = Math.min(Math.max(scale, 1), Math.max(4, 2 * this.detail));
    const ratio = wanted / this.scale;
    this.scale = wanted;
    this.move(x - (x - this.at.x) * ratio, y - (y - this.at.y) * ratio);
  }

  // Shows the same part of its picture as another viewer does.
  follow(other) {
    this.scale = other.scale;
    const share = (part, whole) => (whole ? part / whole : 0);
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.place(share(other.at.x, other.stage.clientWidth) * width, share(other.at.y, other.stage.clientHeight) * height);
  }

  move(x, y) {
    this.place(x, y);
    this.onMove?.();
  }

  place(x, y) {
    const within = (value, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, value)));
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.at.x = within(x, width, this.layer.offsetWidth * this.scale);
    this.at.y = within(y, height, this.layer.offsetHeight * this.scale);
    this.layer.style.transform = `translate(${this.at.x}px, ${this.at.y}px) scale(${this.scale})`;
    this.layer.style.setProperty("--scale", this.scale);
    this.stage.dataset.scale = (this.scale * this.unit).toFixed(3); // Pixels of the page per pixel of the picture.
  }

  toggle(x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    this.zoom(this.scale > 1.01 ? 1 : this.detail, x, y);
  }

  point(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  wheel(event) {
    event.preventDefault();
    const { x, y } = this.point(event);
    this.zoom(this.scale * Math.exp(-event.deltaY * (event.deltaMode ? 16 : 1) * 0.002), x, y);
  }

  pointerdown(event) {
    if (event.button) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.point(event));
    this.tapping = this.pointers.size === 1;
    this.start = this.point(event);
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.point(event);
    if (Math.hypot(now.x - this.start.x, now.y - this.start.y) > TAP) this.tapping = false;
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      this.zoom(this.scale * apart(now) / apart(before), middle.x, middle.y);
    }
    if (other || !this.tapping) {
      const share = other ? 2 : 1;
      this.move(this.at.x + (now.x - before.x) / share, this.at.y + (now.y - before.y) / share);
    }
    this.pointers.set(event.pointerId, now);
  }

  pointerup(event) {
    this.pointers.delete(event.pointerId);
  }

  // Not when the finger lifts: the click that follows would fall on whatever has come to lie there.
  click(event) {
    if (!this.tapping) return;
    this.tapping = false;
    const { x, y } = this.point(event);
    if (!this.onPlace) return this.toggle(x, y);
    const place = {
      x: (x - this.at.x) / this.scale / this.layer.offsetWidth,
      y: (y - this.at.y) / this.scale / this.layer.offsetHeight,
    };
    if (Math.min(place.x, place.y) >= 0 && Math.max(place.x, place.y) <= 1) this.onPlace(place);
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.tapping = false;
  }

  // Moves what is seen by a tenth of the stage.
  pan(arrow) {
    const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[arrow];
    this.move(this.at.x + step[0] * this.stage.clientWidth, this.at.y + step[1] * this.stage.clientHeight);
  }

  // Returns whether the key was meant for the picture.
  key(event) {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const aim = this.onScreen(this.aim);
    const step = event.shiftKey ? 0.1 : 0.02;
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in arrows) this.aimBy(...arrows[event.key]);
    else if ("+=".includes(event.key)) this.zoom(this.scale * 1.25, aim.x, aim.y);
    else if ("-_".includes(event.key)) this.zoom(this.scale / 1.25, width / 2, height / 2);
    else if (event.code === "KeyZ") this.toggle(aim.x, aim.y);
    else if (["Enter", " "].includes(event.key) && this.onPlace && event.target === this.stage) this.onPlace(this.aim);
    else return false;
    return true;
  }

  onScreen(place) {
    return {
      x: this.at.x + place.x * this.layer.offsetWidth * this.scale,
      y: this.at.y + place.y * this.layer.offsetHeight * this.scale,
    };
  }

  // Steps are shares of what is seen, so that they get finer with the zoom; the picture follows the cross.
  aimBy(x, y) {
    const inside = (value) => Math.min(1, Math.max(0, value));
    this.aim = { x: inside(this.aim.x + x / this.scale), y: inside(this.aim.y + y / this.scale) };
    this.showCross();
    const { x: left, y: top } = this.onScreen(this.aim);
    const margin = 24;
    const past = (value, room) => Math.max(0, margin - value) - Math.max(0, value - (room - margin));
    this.move(this.at.x + past(left, this.stage.clientWidth), this.at.y + past(top, this.stage.clientHeight));
  }

  showCross() {
    this.cross.hidden = false;
    this.put(this.cross, this.aim);
  }

  put(sign, place) {
    sign.style.left = `${place.x * 100}%`;
    sign.style.top = `${place.y * 100}%`;
  }

  // Asks for a place; null ends that.
  ask(onPlace) {
    this.onPlace = onPlace;
    this.stage.classList.toggle("asking", onPlace !== null);
    if (onPlace) this.stage.focus({ preventScroll: true });
    else this.cross.hidden = true;
  }

  // Shows numbered marks.
  show(marks) {
    this.layer.querySelectorAll(".mark").forEach((sign) => sign.remove());
    marks.forEach((mark, index) => {
      const sign = element("span", { className: "mark", textContent: index + 1 });
      this.put(sign, mark);
      this.layer.append(sign);
    });
  }
}
