"use strict";
(() => {
  const up = Number(document.body.dataset.rowAbove);
  const MOVES = {
    ArrowUp: [up, 0], ArrowDown: [-up, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  };
  const ZOOMS = {"+": 0.5, "=": 0.5, "-": 2};
  const element = (id) => document.getElementById(id);

  function writeSentences(target, sentences) {
    target.replaceChildren(...Array.from(sentences, (sentence) => {
      const line = document.createElement("p");
      line.textContent = sentence;
      return line;
    }));
  }

  function writeTable(table, {name, mean, area}) {
    table.hidden = name.length === 0;
    table.tBodies[0].replaceChildren(...Array.from(name, (label, k) => {
      const line = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = label;
      line.append(head);
      for (const text of [mean[k], area[k]]) {
        line.insertCell().textContent = text;
      }
      return line;
    }));
  }

  function writeFiles(target, {name, type, content}) {
    target.replaceChildren(...Array.from(name, (file, k) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Save ${file}`;
      button.addEventListener("click", () => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([content[k]], {type: type[k]}));
        link.download = file;
        link.click();
        URL.revokeObjectURL(link.href);
      });
      return button;
    }));
  }

  function begin(doc) {
    const model = (name) => doc.get_model_by_name(name);
    const follow = (name, write) => {
      const source = model(name);
      const run = () => write(source.data);
      source.properties.data.change.connect(run);
      run();
    };
    follow("story", (data) => writeSentences(element("story"), data.sentence));
    follow("map_text", (data) => writeSentences(element("map-text"), data.sentence));
    follow("region_said", (data) => writeSentences(element("region-said"), data.sentence));
    follow("region_table", (data) => writeTable(element("region-table"), data));
    follow("region_files", (data) => writeFiles(element("region-files"), data));
    element("map").addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) {
        return;
      }
      const move = MOVES[event.key];
      const zoom = ZOOMS[event.key];
      if (zoom !== undefined) {
        for (const axis of ["x", "y"]) {
          const range = model(`map_${axis}`);
          const [middle] = model("marker").data[axis];
          const half = zoom * (range.end - range.start) / 2;
          range.setv({start: middle - half, end: middle + half});
        }
      }
      if (move === undefined) {
        return;
      }
      event.preventDefault();
      const moves = model("moves");
      const [number] = moves.data.number;
      moves.data = {row: [move[0]], column: [move[1]], number: [number + 1]};
    });
    document.body.dataset.ready = "yes";
  }

  function wait() {
    const doc = window.Bokeh?.documents?.[0];
    if (doc !== undefined && doc.get_model_by_name("story") !== null) {
      begin(doc);
    } else {
      window.setTimeout(wait, 50);
    }
  }
  wait();
})();
