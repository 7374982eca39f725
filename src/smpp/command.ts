/**
 * The numbers of SMPP 3.4 that Relais speaks: commands (5.1.2.1), statuses (5.1.3) and TLV tags (5.3.2).
 */

/** The response bit of a command_id. */
export const RESPONSE_BIT = 0x80000000;

/** command_id of each request we know, by name. Its response has the response bit set. */
export const commandId = {
  bind_receiver: 0x00000001,
  bind_transmitter: 0x00000002,
  query_sm: 0x00000003,
  submit_sm: 0x00000004,
  deliver_sm: 0x00000005,
  unbind: 0x00000006,
  replace_sm: 0x00000007,
  cancel_sm: 0x00000008,
  bind_transceiver: 0x00000009,
  outbind: 0x0000000b,
  enquire_link: 0x00000015,
  submit_multi: 0x00000021,
  alert_notification: 0x00000102,
  data_sm: 0x00000103,
} as const;
export type Command = keyof typeof commandId;

/** The requests that carry a message. */
export type MessageCommand = 'submit_sm' | 'deliver_sm' | 'data_sm';

/** The requests that open a session. */
export type BindCommand = 'bind_receiver' | 'bind_transmitter' | 'bind_transceiver';

/** command_id of generic_nack. */
export const GENERIC_NACK = 0x80000000;

const NAMES: ReadonlyMap<number, Command> = new Map(
  Object.entries(commandId).map(([name, id]) => [id, name as Command] as const),
);

/** The request with this command_id, or null. */
export function commandNamed(id: number): Command | null {
  return NAMES.get(id) ?? null;
}

/** command_status values we send or read by name. */
export const status = {
  ESME_ROK: 0x00,
  ESME_RINVMSGLEN: 0x01,
  ESME_RINVCMDLEN: 0x02,
  ESME_RINVCMDID: 0x03,
  ESME_RINVBNDSTS: 0x04,
  ESME_RALYBND: 0x05,
  ESME_RSYSERR: 0x08,
  ESME_RINVSRCADR: 0x0a,
  ESME_RINVDSTADR: 0x0b,
  ESME_RBINDFAIL: 0x0d,
  ESME_RINVPASWD: 0x0e,
  ESME_RINVSYSID: 0x0f,
  ESME_RMSGQFUL: 0x14,
  ESME_RINVSERTYP: 0x15,
  ESME_RSUBMITFAIL: 0x45,
  ESME_RINVSYSTYP: 0x53,
  ESME_RTHROTTLED: 0x58,
  ESME_RX_T_APPN: 0x64,
  ESME_RX_P_APPN: 0x65,
  ESME_RX_R_APPN: 0x66,
  ESME_RINVTLVSTREAM: 0xc0,
  ESME_RMISSINGTLV: 0xc3,
  ESME_RINVTLVVAL: 0xc4,
} as const;

/** Tags of the TLVs we read. */
export const tlvTag = {
  receipted_message_id: 0x001e,
  user_message_reference: 0x0204,
  sar_msg_ref_num: 0x020c,
  sar_total_segments: 0x020e,
  sar_segment_seqnum: 0x020f,
  network_error_code: 0x0423,
  message_payload: 0x0424,
  message_state: 0x0427,
  ussd_service_op: 0x0501,
  its_session_info: 0x1383,
} as const;

/** Octets a TLV of fixed size must have; the others may have any size. */
export const tlvOctets: ReadonlyMap<number, number> = new Map([
  [tlvTag.user_message_reference, 2],
  [tlvTag.sar_msg_ref_num, 2],
  [tlvTag.sar_total_segments, 1],
  [tlvTag.sar_segment_seqnum, 1],
  [tlvTag.network_error_code, 3],
  [tlvTag.message_state, 1],
  [tlvTag.ussd_service_op, 1],
  [tlvTag.its_session_info, 2],
]);

/** esm_class bit: the text begins with a user data header. */
export const UDH_INDICATOR = 0x40;

/** Why a PDU was irregular: the values of the label `reason` of `relais_smpp_irregular_pdus_total`. */
export type IrregularReason =
  | 'length'
  | 'frame_timeout'
  | 'truncated_by_close'
  | 'not_supported'
  | 'ignored_request'
  | 'bind_state'
  | 'unsolicited_response'
  | 'unknown_response'
  | 'nack'
  | 'mandatory'
  | 'sm_length'
  | 'tlv_stream'
  | 'address'
  | 'alphanumeric_sender'
  | 'receipt'
  | 'tlv_length'
  | 'tlv_duplicate'
  | 'trailing'
  | 'time_text'
  | 'two_texts'
  | 'udh'
  | 'codec';
