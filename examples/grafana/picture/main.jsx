// Draws the frames of panels.json with the components that draw panels in Grafana.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { applyFieldOverrides, createTheme, dataFrameFromJSON, dateTime, FieldColorModeId, getDisplayProcessor, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';

const SIZE = { width: 620, height: 270 };
const theme = createTheme({ colors: { mode: 'dark' } });
const nothing = { getIfExists: () => undefined, get: () => undefined, list: () => [] };

function framesOf(panel) {
  const defaults = { color: { mode: FieldColorModeId.PaletteClassic }, ...panel.defaults };
  const frames = applyFieldOverrides({
    data: panel.frames.map(dataFrameFromJSON),
    fieldConfig: { defaults, overrides: [] },
    fieldConfigRegistry: nothing,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  frames.flatMap((frame) => frame.fields).forEach((field, index) => {
    field.config = { ...defaults, ...field.config, custom: { axisPlacement: 'auto', pointSize: 5, ...defaults.custom } };
    if (field.type !== 'number') {
      field.config.unit = undefined;
    }
    field.state = { ...field.state, displayName: field.name, seriesIndex: index };
    field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  });
  return frames;
}

function Panel({ panel }) {
  const frames = framesOf(panel);
  const [from, to] = panel.times.map((time) => dateTime(time));
  const isChart = frames[0].fields[0].type === 'time';
  const legend = { displayMode: 'list', placement: 'bottom', calcs: [], showLegend: frames.length > 1 };
  return (
    <PanelChrome title={panel.title} description={panel.description} {...SIZE}>
      {(width, height) => isChart
        ? <TimeSeries frames={frames} timeRange={{ from, to, raw: { from, to } }} timeZone="utc" legend={legend} width={width} height={height} />
        : <Table data={frames[0]} width={width} height={height} />}
    </PanelChrome>
  );
}

const panels = await (await fetch('panels.json')).json();
const grid = { display: 'grid', gridTemplateColumns: `repeat(2, ${SIZE.width}px)`, gap: 8, padding: 8 };
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={grid}>{panels.map((panel) => <Panel key={panel.title} panel={panel} />)}</div>
  </ThemeContext.Provider>,
);
