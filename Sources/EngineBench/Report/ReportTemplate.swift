/// The page, in Mustache. It holds its styles and pictures, and asks nobody for anything.
enum ReportTemplate {
  static let text = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>engine-bench: {{title}}</title>
    <style>
    body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 68rem; margin: 2rem auto; padding: 0 1.5rem; }
    h1 { font-size: 1.6rem; margin-bottom: 0; }
    h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; border-bottom: 1px solid #ccc; }
    h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
    p.note { color: #555; margin: .3rem 0; }
    p.warning { background: #fff4e0; border-left: 4px solid #e69f00; padding: .3rem .7rem; margin: .3rem 0; }
    nav a { margin-right: 1rem; color: #0072b2; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .8rem; margin: .5rem 0; }
    th, td { padding: .12rem .5rem; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap; }
    th { border-bottom: 1px solid #999; font-weight: 600; }
    th.text, td.text { text-align: left; }
    table.facts td { white-space: normal; overflow-wrap: anywhere; text-align: left; }
    tr.slower td { background: #fbe9e2; } tr.faster td { background: #e3f4ee; }
    tr.differs td { background: #fff4e0; }
    .wide { overflow-x: auto; }
    img { display: block; max-width: 100%; height: auto; }
    @media print {
      body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
      nav { display: none; }
      .wide { overflow-x: visible; } table { font-size: 7.5pt; } th, td { padding: .1rem .3rem; }
      img, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
    }
    </style>
    </head>
    <body>
    <h1>{{title}}</h1>
    <p class="note">{{subtitle}}</p>
    {{#warnings}}<p class="warning">{{.}}</p>{{/warnings}}
    <nav>{{#sections}}<a href="#{{id}}">{{title}}</a>{{/sections}}</nav>
    {{#sections}}
    <section id="{{id}}">
    <h2>{{title}}</h2>
    {{#notes}}<p class="note">{{.}}</p>{{/notes}}
    {{#parts}}
    {{#heading}}<h3>{{.}}</h3>{{/heading}}
    {{#image}}<img alt="{{description}}" src="data:image/svg+xml;base64,{{{base64}}}">{{/image}}
    {{#table}}
    <div class="wide"><table{{#isFacts}} class="facts"{{/isFacts}}>
    <thead><tr>{{#header}}<th{{#isText}} class="text"{{/isText}}>{{text}}</th>{{/header}}</tr></thead>
    <tbody>
    {{#rows}}<tr{{#mark}} class="{{.}}"{{/mark}}>{{#cells}}<td{{#isText}} class="text"{{/isText}}>{{text}}</td>{{/cells}}</tr>
    {{/rows}}
    </tbody></table></div>
    {{/table}}
    {{/parts}}
    </section>
    {{/sections}}
    <p class="note">Written by engine-bench {{version}}. Percentages refer to peaks measured on the same machine; spread is how much slower
    the median window was than the best.</p>
    </body>
    </html>

    """
}
