"""Words that one of several near relatives has and another one has not: "ikke" is Danish or Bokmål, "ikkje" Nynorsk.

py3langid goes by letters and was not made to tell relatives apart; a reader looks for "meget" or "mye". The words are
those that a primer begins with: pronouns, negations, forms of "be" and "have", prepositions, numbers,
and such as show how sounds differ. Each stands with all languages of its family that have it, so that it says nothing
between those; one that another has with another meaning stands with both or is left out. They were written down, not
counted; the half of the pairs that calibrates showed which stood in the wrong place, and some that were missing.
Cost: looking up a text's words, a microsecond or two, where py3langid is asked anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from florenz.languages.caption_words import CAPTION_FAMILIES

# One family each; in front of its words the languages that have them.
_FAMILIES = (
    """
da: af altid arbejde arbejder bange bedste begynde bliver bog bruge bruger brugt bøger børn dreng endnu flyve
da: fod fået færdig gennem gerne gik giver gået gør gøre havde hedder hendes hjælp hjælpe hoved hundrede hvad hvorhen
da: hvornår inde jer jeres kat kende kender kendt kvinde købe køber købte køkken lave lavet lidt lige læge lægge læse
da: læser mad mand mellem mund måske nogen noget nogle næste op os otte penge pige rigtig sagde selvom set sidde
da: sidder sidste siger skov smuk sne spillede sprog spørge spørgsmål syg sætte tager taget tilbage træt tyve tænke
da: tænker tænkte tørstig ud ude uden uge vand vej vejr vidste vigtig vindue vores vågne værelse været øje øjne
no: ble bruker gikk gir gjør gjøre gutt hode hva kjøpe kjøper leser liker mye noe noen penger sier syk tenker trenger
no: trett uke uten vei vindu våkne vært øye øyne
nn: allereie auge berre betre bur dei deira desse dotter dårleg eg ein eit elskar fekk fleire fortel fyrste gjekk gjer
nn: gjere gjev gut heile heim heime heiter hennar ho hovud ikkje kjem korleis kva kven kvifor likar mykje noko nokon
nn: nokre raud saman seie sjølv skule skulen snakkar sumar tenkje treng trøytt vart vatn veke vener vere vert åleine
sv: bara bättre dessa detta fler flicka före genom ger gick gör hela hem hon hur inte jag kanske lite mellan mycket
sv: många måste nästa någon något några och också pojke röd sista själv ska säger tillbaka upp vad vara varför varje
sv: vatten vecka vem våra är
da no: alene allerede bedre dere deres disse dårlig flere forstår først gammel ham hele hjem hjemme hun hvem hver
da no: hvilken hvilket hvis hvor hvordan hvorfor hånd ikke jeg kommet kun meget måned rød sammen selv skrevet snakker
da no: spise spiser synes syv taler venner være ønsker
da sv: aldrig blev cykel dig efter haft igen mig nu sig
no nn: aldri arbeid arbeider beste blei bruk bøker deg ennå etter gjennom gjerne hjelp hjelpe hundre igjen jente
no nn: kanskje kjenne kjent kjøkken kjøpte kvinne lage laget lese like litt mann meg mellom munn neste opp redd seg
no nn: seier siste snø spørre spørsmål sykkel tenkte tilbake tjue vakker veit åtte
no sv: ett heter riktig sitter vet
nn sv: gamal kvar månad pengar sjuk talar utan
da no nn: dette før godt kunne mange måtte og skal vil våre
da no sv: bor dem en kommer
no nn sv: alltid av bli blir fot fått gått hadde hatt hennes inne katt mat mot oss sa sett skog språk tar ut ute
no nn sv: viktig vill viss visste vår
""",
    """
cs: ať bratr budou budu bydlí bydlím byl byla byli bylo bílý být chci co den dlouho dobře dokud dvě dítě děkuji dělat
cs: dělá děláš děti dům hodně holka jako jaká jaké jaký jde jdeme jdeš jdu jedu jejich její jen jenom jestli jestliže
cs: ještě jim jsem jsi jsme jsou jste já jíst jít kdo kdy kdyby když kluk kolik krásná krásný kterou která které
cs: kterého který letadlo lidi lidé líbí mezi mluvit mluví mluvíš mně mohl mohu moji mojí možná mít mě měl měla město
cs: měsíc můj může můžeme můžete můžeš můžu nebo nechci nejsem nejsi nejsou nemocnice nemohu neměl nemůže nemůžu není
cs: nevím nic nikdo nyní nádraží ní něco něho něj nějaké nějaký někde někdo někdy odkud opravdu opět peníze poprvé
cs: potřebuje potřebuji potřebuju pouze pro protože proč práce pět přece před přes přesně při přijde přijít přišel
cs: přišla příliš přítel půjdu se slyšet snídani spát stejně svoji svou svět svůj takový taky také teď tohle tvůj této
cs: tě třeba tři udělal udělat učitel ve velká velké velký velmi večeři viděl viděla vidět ví víc více vím víš věřím
cs: všechno všichni vůbec vždycky zatímco zde ze zpět zítra čekat černý četl člověk čtyři řekl řekla řekni říci říct
cs: říká šel šla špatný špatně žádná žádný
sk: aj ak ako alebo biely bol bola boli bolo brat budem budú byť býva bývam bývaš cez chcem deti deň dievča dieťa dlho
sk: dobre dom dones dve ešte hovoriť hovorí hovoríš iba ich ide idem ideme ideš im inak iný išiel išla ja jesť keby
sk: kedy keď koľko krásny kto ktorá ktoré ktorého ktorí ktorú ktorý kúpil kúpiť lebo len lietadlo ma mal mala mať
sk: medzi mesiac mesto mohol mojej moju možno myslieť môj môže môžem môžeme môžete môžeš mňa naozaj nebol nebola nech
sk: nechcem nejaké nejaký nemal nemocnica nemôže nemôžem neviem nie niekto niečo nik nikto nič odkiaľ opäť peniaze
sk: potrebuje potrebujem povedal povedala povedať povedz počuť poď pre pred predsa presne pretože prečo pri priateľ
sk: prišiel prišla prvýkrát práca príde príliš prísť páči päť robiť robí sa sme som spať späť ste svet svoj svoju sú
sk: tejto teraz tieto tiež tri tvoj táto týždeň urob urobil urobiť učiteľ verím veľa veľká veľké veľký veľmi viac
sk: videl videla vidieť vie viem vieš vo vôbec všetci všetko zajtra zlý zo ísť čakať čierny človek čo čítal čítať
sk: ďakujem ľudia ľúbim štyri ťa žiadna žiadny
""",
    """
es: agua ahora alguien ayer ayuda año años aún bien buen buena bueno calle ciudad conozco cuando cuándo cómo decir
es: deja dejar después diez dije dijo donde dónde ellas ellos eres escuela eso esto estoy fue gracias habla hablar
es: hablo hacer hago hasta hay hermano hijo hizo hombre hoy las le lengua llama llamar llegar llevar los mañana mejor
es: mis misma mismo mucha muchas mucho muchos mujer muy más nadie noche nosotros ocho otra otro peligro pudo puede
es: puedes puedo quiere quieres quiero quizás quién qué sea siempre siete sin soy su sus también tengo tenía tiempo
es: tiene tienen tienes todavía trabajo usted ustedes veo verdad voy y ya yo
gl: algunha alguén alí ata auga axuda aínda cando canto cantos che co coa coñezo dende despois dicir dixen dixo dous
gl: dun dunha dúas facer fago fillo grazas gústame hai hoxe imos irmán iso lingua lle lles mañá mellor miña moi moita
gl: moitas moito moitos muller máis nai nin ningunha ninguén non nun nunha onte podo pola puido quen quere quizais rúa
gl: sen sexa súa tamén ten teñen teño tiña traballo túa unha unhas vexo vostede vostedes xa xente xogar á ó
pt: ainda alguma alguém ali amanhã aqui até bem bom conheço depois disse dizer dois duas ele eram estão fazer faço fez
pt: filho hoje homem há irmão isso jogar já lhe livro língua mas melhor minha muita muitas muito muitos mulher mãe nem
pt: ninguém num numa não obrigada obrigado ontem pelas pelos posso quando quem quer rua seja sem sua são talvez também
pt: tem tenho tinha trabalho três tua tudo tão têm um uma vejo vezes você vocês à água
ca: ahir aigua això algú altra altre amb anem any anys aquest aquesta ara avui bon bona bé ciutat dels demà dir dues
ca: ells els estan estic fer fill fins gent hi i ja jo li llibre mai meva millor molt molta moltes molts més ningú nit
ca: nosaltres perquè però pot puc qui què res sap sense seva són també temps tenen teva tinc tot treball té vaig vol
ca: vostè vull és
es gl: coche con creo eran estaba están gusta había libro ningún pasar veces vivir
es pt: gente
es ca: al alguna allí del la sé una va
gl pt: agora ano anos ao aos as boa chamar chegar cidade dez do e ela elas eles estou eu fala falar falo fixo foi
gl pt: gosto isto levar mais mesma mesmo nas noite nós oito onde ou outra outro pai perigo pode quero sei sete tempo
gl pt: vai verdade vou
gl ca: home
pt ca: ajuda com estava havia sou
es gl pt: algo das nada nunca para porque todo
es gl ca: aquí el en tres un
gl pt ca: deixa deixar escola meu sempre seu teu uns
""",
    """
id: bahwa bapak beda berbeda berbicara besok bicara bisa bus butuh coba dingin dokter enggak film foto gak gampang
id: handuk hewan inggris jelek jendela jepang kalian kamar kantor kapan karena kemarin koran kue kursi laki mahasiswa
id: mau membutuhkan mencoba mengerti menit mobil mulai musik nggak nomor paham pelan pohon polisi prancis pria punya
id: resmi saat salju sepatu sepeda silakan sulit telepon televisi teman tiap toko uang universitas
ms: abang akhbar awak bahagian bahawa bandar bapa bas basikal beliau berbeza bercakap beza bilik cakap cuba doktor
ms: encik esok faham filem haiwan hendak hodoh hospital ialah inggeris jepun jumpa kasut kawan kedai kek kerana kereta
ms: kerusi macam mahu masa mencuba minit muzik nak nampak nombor perancis perlahan pokok puan rasmi salji sejuk
ms: semalam sila sukan telefon televisyen tengok tiada tingkap tuala universiti wain wang
""",
    """
af: altyd asseblief baie by daardie dink ek gister hierdie hoekom hom hulle hy julle jy kinders mense moenie my môre
af: nie niks sal se seun sewe sien skool skryf so sonder soos sy sê tyd vandag vir vrou vyf
nl: als altijd ben bent bij de denkt deze doet door gaat gisteren heb hebben hebt heeft heel hij hun ik je jij jouw
nl: jullie kinderen komt kunnen kunt leest maakt mensen mijn moeten morgen naar niet niets nu onze school schrijven
nl: tijd vandaag veel vijf voor vrouw we werkt wij zal ze zegt zei zelf zes zeven zien ziet zij zijn zo zoals zonder
nl: zoon zullen
""",
    """
sl: danes in jaz jutri kaj kdo ker kje kot lahko nekaj nikoli nisem niso nič sem tudi tukaj vedno vem veš včeraj zakaj
sl: zdaj zelo če še že
hr bs sr: ako danas gde gdje hoću jako jer još juče jučer kad kada kao mogu nema nešto nije nikad nisam nisu ništa
hr bs sr: ovde ovdje sad sada sam sutra sve svi takođe također tko uvek uvijek već vrlo zašto šta što
""",
    """
be: ад былі быў вельмі гэта дзе дзякуй каб калі магу мяне няма сёння табе таксама толькі трэба хачу цябе чаму яна яно
be: яны ён ёсць ўчора
uk: був були було ви вона вони воно вчора від він дуже дякую коли мені ми можу немає потрібно сьогодні також ти тобі
uk: треба тільки це чому що щоб
ru: есть и когда кто меня могу надо нет нужно он она они оно очень почему сегодня тебя тоже только чтобы это
be uk: але хто як
be ru: вы мне мой мы ты
""",
    """
bg: аз бях вече днес защо искам какво като кой къде ние още са съм то това той тук ще
mk: бев веќе во денес зошто каде кој нешто ништо сакам со сум тоа тој уште јас ќе
""",
    """
bg: аз беше бях вече днес е защо искам какво къде ние няма още са сме съм това той тук тя ще
ru: был была были было где есть когда кто меня мне мы нет он она оно очень почему сегодня тоже только хочу что чтобы
ru: это я
""",
    """
mk: бев беше веќе во денес е зошто каде кога кој многу сакам сме со сум таа тие тоа тој јас ќе
sr hr bs: али била био већ где данас зашто када ко није овде он она они оно са сам смо су у хоћу је јуче ће ћеш ћу
""",
    """
mr: आणि आपण आम्ही आहे आहेत उद्या कसे काय कुठे कोण खूप गेला गेली झाला झाली तिने तिला ती तुझा तुझी तुझे तुम्ही तुला ते
mr: त्याने त्याला नाही पण मध्ये मला माझं माझा माझी माझे मी हे होतं
hi: अब आप उसका उसकी उसने उसे और कहाँ कुछ के कैसे को कौन क्या क्यों गई गया जब तक तुम था थी थे नहीं बहुत मुझे में मेरा
hi: मेरे मैं यह ये रहा रही रहे लिए लेकिन वह वे सब साथ से हम है हैं
""",
    """
kk: біз бұл емес жақсы жоқ және керек кім ма ме мен ол олар сен сіз қайда үшін
tt: алар без белән бик бу кайда кем кирәк мин нәрсә сез син түгел ул юк яхшы һәм өчен
""",
    """
et: aga eile homme ka kes kuidas kus ma miks mina minu mis mul nad nüüd pole sa seda see siis sinu sul ta tema täna
et: väga
fi: eilen että huomenna hän hänen kuin kuka miksi mikä minulla minun minä missä miten mutta myös nyt olet ovat se
fi: sinulla sinun sinä sitä tämä tänään
""",
    """
ga: aici bhí cad cathain conas cé cén dom go liom lá maith mé ní níl raibh sé sí tá tú
gd: aice aig airson bha bidh carson cha chan ciamar càite cò dhomh dè glè gu latha leam math mi mòr ri robh tha thu
""",
    """
az: amma deyil indi mən məni mənim nə qədər sən səni sənin və yaxşı yox çox üçün
tr: ama bana ben beni benim bugün değil gibi hiç iyi için kadar nasıl sana sen seni senin ve yok çok şimdi
""",
    """
ca: ahir això any aquest avui bé demà dir ells els estic fer hi meva molt molta molts més nosaltres però puc què sense
ca: seva són teva tinc té vaig vol vull és
oc: aiçò aquò deman dins far fòrça ieu ièr lo non nosautres ont plan pòdi quand sabi soi sus sètz uèi vosautres vòli
oc: òc
""",
    """
jv: ana dheweke durung iki iku ing kabeh kanggo karo kowe lan ngendi ora piye saka sapa sing wis
id ms: ada belum dan dari dengan dia ini itu kamu saya siapa sudah tidak untuk yang
""",
)

_Family = Mapping[str, frozenset[str]]  # word -> the languages of the family that have it


@cache
def _families_of(language: str, other: str) -> tuple[_Family, ...]:
    """Those that both belong to; mostly one of each kind."""
    families = map(_read, (*_FAMILIES, *CAPTION_FAMILIES))
    return tuple(family for family in families if {language, other} <= frozenset().union(*family.values()))


@cache
def _read(table: str) -> _Family:
    found: dict[str, frozenset[str]] = {}
    for line in filter(None, table.splitlines()):
        languages, words = line.split(":")
        for word in words.split():
            found[word] = found.get(word, frozenset()) | frozenset(languages.split())
    return found


def balance(words: Collection[str], language: str, other: str) -> int:
    """How many of these words, each counted once, `language` has and `other` has not, less the other way round."""
    having = [family[word] for family in _families_of(language, other) for word in set(words) if word in family]
    return sum((language in languages) - (other in languages) for languages in having)
