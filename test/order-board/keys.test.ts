import { expect } from 'chai';
import { crc16, routeKey } from '../../src/order-board/keys.ts';

describe('the keys', () => {
  it('are spread by the checksum that Redis Cluster uses', () => {
    // Redis Cluster specification, appendix A.
    expect(crc16('123456789')).to.equal(0x31c3);
  });
  it('put a machine into one of 16,384 route buckets', () => {
    expect(routeKey('123456789')).to.equal(`relais:route:{${0x31c3 % 16_384}}`);
  });
  it('count bytes and not characters', () => {
    expect(crc16('é')).to.equal(crc16(Buffer.from([0xc3, 0xa9]).toString('utf8')));
  });
});
