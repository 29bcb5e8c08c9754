import t from 'tap';
import { capacityOf, checkChannelName } from '../../channels/layer.js';

t.test('the first pattern that fits decides the capacity', async (t) => {
  const capacity = capacityOf({ capacity: 7, channelCapacity: { 'http.*': 5, 'h?t[!a-z]': 2 } });
  t.equal(capacity('http.request'), 5);
  t.equal(capacity('hot1'), 2);
  t.equal(capacity('hota'), 7);
});

t.test('a name with a newline is refused', async (t) => {
  t.throws(() => checkChannelName('chat\n'), { code: 'CHANNELS_ERR_INVALID_NAME' });
});
