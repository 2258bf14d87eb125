"""What callers say, in English: one turn a line, whole, as a recogniser writes it."""

SENTENCES = """\
I'd like to book an appointment with Doctor Miller for next week.
What are your opening hours on Saturday?
My card was declined and I don't know why.
Hi, I'm calling about the order I placed on Monday.
No, thank you.
I want to cancel my subscription.
Do you have ibuprofen in liquid form?
Thursday morning works for me.
I paid the bill yesterday, but it still shows as unpaid.
Yes, go ahead.
My internet has been really slow since Sunday.
I'd prefer the afternoon.
How much is shipping to Chicago?
I need to speak to someone in the billing department.
It's for me.
The medicine you sent was the wrong one.
I think I wrote the password down somewhere, but I can't find it.
That's fine, I'll wait.
I need to reschedule the appointment that I have on Friday.
The package arrived with the box crushed and one item missing.
Do you take my insurance?
I live on Maple Street, right next to the bakery.
I never got the code.
Two large pizzas, one with mushrooms and one with pepperoni.
That's right.
I need a copy of my electricity bill.
The amount on the invoice is different from what I was told.
Could you repeat that, please?
I'm going to need a doctor's note as well.
He's had a fever since last night and he won't eat anything.
Hang on a second while I get the letter.
I wanted to know how much I still owe on the loan.
They told me the technician would come today between eight and noon.
That's not what I asked for.
Can I get a diet coke instead, please?
I'm travelling next month and I want to make sure my card works abroad.
This is the first time I've called.
My mother has been a customer of yours for twenty years.
Is there anything available today?
I've talked to three people already and nobody could help me.
You can leave it at the front desk.
How do I change my delivery address?
I'm not sure if my plan covers this test.
The app crashes every time I try to send money.
Tomorrow doesn't work, only Monday.
I'd like a quote for painting the living room and two bedrooms.
I think so.
My name is Charles Edwards.
It's under my husband's name.
I want to talk to a person.
Do you deliver to the north side?
I bought some shoes on your website and they're too tight.
Nothing has arrived yet.
Can I pay in six installments?
I made the payment by bank transfer on Tuesday.
I just want to know if everything is okay with my reservation.
Is the pharmacy on Main Street open on Christmas Day?
Not anymore.
I'm calling because there's a charge on my statement that I don't recognize.
The driver said nobody was home, but I was here all day.
Can you send the receipt to my email?
I missed the deadline and now I don't know what to do.
Should I take it before or after meals?
My son fell off his bike and his arm is swollen.
I'd rather pay cash on delivery.
Let me check my calendar.
The last test I had was in March with Doctor Paul.
Thanks, that's all I needed.
How long does it take to get the refund?
If you don't have the generic, the brand name is fine.
No, I don't have an account yet.
I asked you to cancel it a month ago and you're still charging me.
The light on the router keeps blinking red.
Okay, I'll call back tomorrow morning.
I'd like to move her appointment to another doctor.
Absolutely.
The tracking says it was delivered, but I haven't received it.
Can I come in without an appointment?
I'll have a turkey sandwich and an orange juice with no ice.
No need, I'll pick it up myself.
I work until six, so it has to be after that.
I called earlier and we got disconnected.
Just text me the link.
Can you come and pick up the device from my house?
I've had no signal on my phone since ten o'clock.
It's a joint account with my wife.
I've had a really bad headache for three days.
When is my bill due?
I forgot my password.
I want to raise the limit on my credit card.
The invoice you sent doesn't have a reference number.
Sounds good.
I'd rather see the same doctor as last time.
The apartment is on the fifth floor and there's no elevator.
Do you still deliver if it rains?
I bought two tickets, but I only received one.
What's the difference between the two plans?
No, the other one.
I'll check with my wife and get back to you.
It's a prescription for a controlled substance.
I need to update the phone number on my account.
I already tried restarting the router and it didn't help.
She's five months pregnant.
I was very happy with the service.
My phone was stolen and it had the banking app on it.
How often do I have to take it?
I was told to contact the collections department.
Please bring change for a hundred.
There were several mistakes in the report I got.
I didn't make that purchase.
Is there parking at the clinic?
I want to pay off my car loan early.
Maybe some other day.
How many hours do I need to fast before the test?
It's an emergency.
I forgot to ask for a receipt with my company's name.
The doorman wouldn't let the driver come up.
I don't mind.
I have to cancel my flight on Sunday and take one on Monday night.
The discount I was promised isn't on the bill.
Good afternoon, is this the Lakeside Clinic?
We live out in the country, the mailman doesn't come here.
How long until my new card gets here?
I started the antibiotics yesterday and now I feel sick.
I can't right now, I'm driving.
Can I pay that at an ATM?
I'll have the same as last week.
The guy who did the installation left a loose wire on the wall.
Great, thank you so much for your help.
That seems really expensive.
Do you have anything later?
I asked for no onions and it came with onions.
I want to know why my loan application was denied.
Somebody just transferred me here.
Actually, I only wanted to confirm your address.
Which doctor is his appointment with?
I can't log in to my account.
May I speak to the manager?
I just sent you the missing documents.
Four people, two of them children.
They closed my account without telling me.
I'd like to understand this fifteen dollar fee.
I'll come and get it after lunch.
The doctor asked for a chest x-ray and a blood test.
That's not what they told me at the store.
How long is the offer good for?
Sorry, I didn't catch that.
The deadline has passed and nobody has called me.
The technician was supposed to come between two and four.
If I pay today, when will the service be back on?
I'd like the one with chicken and cheese.
I can't, it keeps giving me an error.
Her name is Margaret and she's eighty-two years old.
Do you still have a table for tonight?
My address is the same as before.
I'm allergic to peanuts and shrimp.
Could you check if the deposit has gone through?
Yes, on the street behind the supermarket.
What do I need to bring on the day of the test?
I'd rather do it over the phone.
I need a taxi to the airport at five in the morning.
"""
