/* Each part of a page that needs a script is a module of its own. Without scripts, all but the live parts works. */

import { nameZone, showLocalTimes } from "./times.js";
import { keepUpToDate } from "./live.js";
import { followSelection } from "./selection.js";
import { offerToCopy } from "./copying.js";
import { takeFiles } from "./files.js";
import { offerValues } from "./completing.js";
import { showPreviews } from "./previewing.js";
import { closeMenus } from "./menu.js";
import { readCharts } from "./charts.js";
import { sendOnce } from "./submitting.js";

showLocalTimes(document);
nameZone();
keepUpToDate();
followSelection();
offerToCopy();
takeFiles();
offerValues();
showPreviews();
closeMenus();
readCharts();
sendOnce();
