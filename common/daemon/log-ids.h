/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MESSAGE_ID of each event that an administrator may look for; never reused for another event. */
#ifndef DAEMON_LOG_IDS_H
#define DAEMON_LOG_IDS_H

#define LOG_ID_DIAGNOSTIC      "5b1f0c7e1d6a4c0d9f3f1a3f0a7d6b21" /* a file has an error or a warning */
#define LOG_ID_IN_FORCE	       "0d3c2b5a8e2f4d7c8f64c1b92e5a7f10" /* a section came into force */
#define LOG_ID_REFUSED	       "c2a94e0b6f7d4a61b5d80e9a3c17f542" /* the datapath refused a section */
#define LOG_ID_DATAPATH_ABSENT "8f57d1e6a0c34b92a7e43d5b6c8f9a03" /* nothing is enforced anew */
#define LOG_ID_BUS_LOST	       "e6704a9d3b1c4f58926fd0a1c7e8b335" /* the message bus went away */
#define LOG_ID_BUS_BACK	       "a3d80f5b7c2e4916b0f7e21d9c64385a" /* and came back */
#define LOG_ID_POLICY_FAILURE  "7d2e9b4c60f14a3b8e5d1c07a9f6b8e2" /* policy refused a packet */
#define LOG_ID_FORECAST	       "4be61c0d93f74a28b1d5709e8af23c66" /* an SA comes to its end */
#define LOG_ID_ROLLED_BACK     "b1c8f6a2d75e4930a4e7f2086d3c9b15" /* a section was not confirmed */
#define LOG_ID_AUDIT	       "4e8a1d93c05f47b2a6d17c3e9b20f85a" /* somebody changed something, or tried */
#define LOG_ID_WITHDRAWN       "b4c2d116e2a645429b24d085a4aac816" /* a section was taken out of force */
#define LOG_ID_LID_ON	       "dce01098518f4f21bac8f8b930d68bf3" /* the last policy holds */
#define LOG_ID_SHUT	       "5f5b12da1ddc470d9d801f079faf9a9e" /* no good last policy: nothing passes */
#define LOG_ID_LIFTED	       "08adba0e84924fc9b72d83ef883ea6da" /* the lid was lifted by hand */
#define LOG_ID_RESTORED	       "3835f433a6ff4ebe8cff765854fdaceb" /* what somebody took away is back */
#define LOG_ID_NOT_RESTORED    "d8244a86be4d41fda4901faec491800b" /* and is not */
#define LOG_ID_NO_SEQUENCES    "f52ba892ed6d48f595f5f3e72c5c2517" /* outbound SAs are refused */

#endif
