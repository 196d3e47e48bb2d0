import { useState } from 'react'
import type { Cart } from '../../cart.ts'
import type { Delivery, Payment } from '../../events.ts'
import { hrefOf } from '../../route.ts'
import { checkOut } from '../../shop.ts'

const PAYMENTS: Readonly<Record<Payment, string>> = {
  card: 'Card ending 4242',
  declined: 'Card ending 0002 (declined)',
}

const DELIVERIES: Readonly<Record<Delivery, string>> = {
  bicycle: 'Bicycle, today',
  ferry: 'Ferry, tomorrow (does not sail)',
}

/** How it is paid and sent. One choice of each makes the order fail: that is worth seeing, too. */
export function Checkout({ lines }: { lines: Cart }) {
  const [payment, setPayment] = useState<Payment>('card')
  const [delivery, setDelivery] = useState<Delivery>('bicycle')
  return (
    <form
      className="checkout"
      onSubmit={(event) => {
        event.preventDefault()
        location.hash = hrefOf('orders', checkOut(lines, payment, delivery))
      }}
    >
      <Choice id="payment" name="Pay with" of={PAYMENTS} value={payment} choose={setPayment} />
      <Choice
        id="delivery"
        name="Deliver by"
        of={DELIVERIES}
        value={delivery}
        choose={setDelivery}
      />
      <button type="submit" className="button primary large" data-testid="checkout">
        Place the order
      </button>
    </form>
  )
}

interface ChoiceProps<Value extends string> {
  id: string
  name: string
  of: Readonly<Record<Value, string>>
  value: Value
  choose: (value: Value) => void
}

function Choice<Value extends string>({ id, name, of, value, choose }: ChoiceProps<Value>) {
  return (
    <label className="choice">
      <span>{name}</span>
      <select
        className="input"
        value={value}
        onChange={(event) => choose(event.target.value as Value)}
        data-testid={id}
      >
        {Object.entries<string>(of).map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
