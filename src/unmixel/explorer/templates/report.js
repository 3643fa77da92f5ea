"use strict";
(async () => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("pixel-data");
  const [gridRows, gridColumns] = data.shape;
  const n = data.names.length;

  const arrays = {};
  for (const [name, { low, step, size, codes }] of Object.entries(data.arrays)) {
    const bytes = Uint8Array.from(atob(codes), (letter) => letter.charCodeAt(0));
    const numbers = new Uint16Array(bytes.buffer);
    arrays[name] = (pixel) =>
      Float64Array.from(numbers.subarray(pixel * size, (pixel + 1) * size), (code) =>
        code === 65535 ? NaN : low + code * step);
  }
  const unknown = new Float64Array(n).fill(NaN);

  const models = {};
  for (const [name, item] of Object.entries(read("pixel-figures"))) {
    await Bokeh.embed.embed_item(item, `figure-${name}`);
    models[name] = Bokeh.documents[Bokeh.documents.length - 1];
  }
  const put = (figure, source, columns) => {
    models[figure].get_model_by_name(source).data = columns;
  };

  const line = (values) => Float64Array.from(data.band, (band, place) => (data.gap[place] ? NaN : values[band]));
  const area = (values, below) =>
    Float64Array.from(data.band, (band, place) => (data.gap[place] ? below[band] : values[band]));
  const showSpectra = (pixel) => {
    const [observed, shares, nonlinear, sd] =
      ["observed", "shares", "nonlinear", "sd"].map((name) => arrays[name](pixel));
    const bands = observed.length;
    const nothing = new Float64Array(bands);
    const tops = [nothing];
    for (let k = 0; k < n; k += 1) {
      tops.push(tops[k].map((below, band) => below + shares[k * bands + band]));
    }
    const reconstruction = tops[n].map((below, band) => below + nonlinear[band]);
    tops.push(reconstruction);
    const parts = { x: data.x, residual: line(observed.map((value, band) => value - reconstruction[band])) };
    tops.forEach((top, k) => { parts[`top${k - 1}`] = area(top, nothing); });
    put("parts", "parts", parts);
    const lower = reconstruction.map((value, band) => value - data.reach * sd[band]);
    const upper = reconstruction.map((value, band) => value + data.reach * sd[band]);
    put("spectrum", "spectrum", {
      x: data.x,
      observed: line(observed),
      reconstruction: line(reconstruction),
      lower: area(lower, lower),
      upper: area(upper, lower),
    });
  };

  let chosen = data.start;
  const choose = (row, column) => {
    const i = Math.min(Math.max(row, 0), gridRows - 1);
    const j = Math.min(Math.max(column, 0), gridColumns - 1);
    chosen = i * gridColumns + j;
    put("map", "chosen", { x: [j * data.step + 0.5], y: [data.rows - i * data.step - 0.5] });
    put("abundance", "abundance", {
      name: data.names,
      abundance: arrays.abundance(chosen),
      lower: arrays.lower(chosen),
      upper: arrays.upper(chosen),
      fcls: arrays.fcls ? arrays.fcls(chosen) : unknown,
      colour: data.colours,
    });
    if (arrays.observed) showSpectra(chosen);
    document.getElementById("pixel-said").textContent = data.sentences[chosen];
  };
  const nearest = (place) => Math.round((place - 0.5) / data.step);

  const clicked = ({ x, y }) => {
    const { x_range, y_range } = models.map.roots()[0];
    const seen = x >= x_range.start && x <= x_range.end && y >= y_range.start && y <= y_range.end;
    if (seen && x >= 0 && x <= data.columns && y >= 0 && y <= data.rows) choose(nearest(data.rows - y), nearest(x));
  };
  // to Bokeh a second click within 0.3 s, or a long one, is no tap
  for (const click of ["tap", "doubletap", "press"]) models.map.roots()[0].on_event(click, clicked);

  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  document.getElementById("figure-map").addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(Math.floor(chosen / gridColumns) + move[0], (chosen % gridColumns) + move[1]);
  });

  document.getElementById("endmember").addEventListener("change", (event) => {
    for (let k = 0; k < n; k += 1) {
      models.map.get_model_by_name(`map${k}`).visible = k === Number(event.target.value);
    }
  });

  choose(Math.floor(chosen / gridColumns), chosen % gridColumns);
  document.documentElement.dataset.ready = "true";
})();
