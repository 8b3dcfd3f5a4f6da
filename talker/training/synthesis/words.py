"""Everyday words of a dozen languages, rich in lip sounds and rounded vowels: what the synthetic voices say."""

from typing import Final

_ENGLISH = """
apple baby back bad bag ball banana band bank bath beach beam bean bear beat beautiful because become bed bee before
begin behave believe bell below big bird birthday blue board boat body book boom boot both bottle bottom bowl box
boy brave bread break breathe bridge bright bring broom brother brown bubble build bump busy butter buy camp care
careful castle catch cave chain chair change cheap cheese chew child choice choose church city clam clever climb
close cloud club coffee comb come cook cool cow cream crowd cube cup curve dance danger day death deep dive dog
dream drive drop drum early earth easy eat echo eleven empty enjoy enough even ever every eye fable fabric face
family famous farm fast father favour feather feel fever few fifty fight film find fine finger fire first fish five
flame flavour flood floor flow flower fly foam fog food foot for forest forever forget four fox free fresh friend
from frozen fruit full funny future game garage gave gentle giant give glove go goat good gorgeous grape grave green
grew grief group grow gym half hammer hand happy harbour harm have hawk heart heavy help her hero hobby home honey
hope house huge human humble hunger hurry ice improve into invite itch jam jelly job join journey joy juice jump
jungle june keep kitchen knife lab lamb lamp laugh law leaf league learn leave lemon letter liberty life lift like
limb lip little live lobster long loop loud love low lump machine magic make map maple marble market marvel may
maybe me measure member memory method middle milk mimic mind mirror mob model moment money monkey moon more morning
mother motion mouth move movie much mud murmur museum music my myth name napkin near nephew never new noise noon
nothing november number object obvious of office often oil old olive open opera orbit other our over owl oyster pain
paint palm panic paper parade park party path pause pay peace pebble people pepper perfect perhaps person phone
photo piano picnic picture pie piece pilot pink pipe pizza place plan plate play please pleasure plum pocket poem
point polite pool poor pop popular power preview pride private problem promise proof proud public pull pumpkin pupil
puppy pure purple push put puzzle queen quick quiet quiz rabbit radio rain rather reach remember reply review rhythm
river road robe robin roof room rope rough rubber rule safe sandwich save school seem serve seven shadow shape share
shave sheep shelf ship shoe shop should shoulder shove show shrimp silver simple six sleep slope slow small smell
smile smooth snow soap sofa soft some soon sound soup space spoon spring stamp steam step stone stop storm story
stove strange stream strong stump sugar summer super supper surf swamp sweep swim sword table tape teacher team
television temper temple ten thank that theme these thief thing think third this thousand three thumb thunder time
today tomb tomorrow tongue took toothbrush top tough tower town toy treasure tribe trip trouble true trump tube turn
twelve twin two umbrella uncle under unique universe up upon use value van vanilla vapour vase veil velvet very
vibrate video view village violet violin vision visit vivid voice volume vote vowel voyage waffle wagon wait wake
walk wall want warm was wash watch water wave wax way we weave web weekend weep well west whale what wheel where
whisper white who whole why wide wife wild win wind window wing wisdom wish with without wolf woman wonder wood wool
word work world worm would wow wrap wreath year yellow yes yesterday you young zebra zero zoo zoom
"""

_SPANISH = """
hola adiós amigo amiga bueno buena buenos días noche tarde mañana agua vino pan fruta manzana plátano pera uva limón
huevo pollo pescado carne queso leche café azúcar sal pimienta mesa silla puerta ventana casa calle plaza pueblo
ciudad campo bosque monte río mar playa barco avión coche tren bicicleta camino puente abuelo abuela padre madre
hermano hermana hijo hija bebé hombre mujer niño niña perro gato pájaro vaca caballo oveja lobo pez mariposa flor
árbol hoja sol luna lluvia nube nieve viento fuego tierra rojo azul verde blanco negro amarillo uno dos tres cuatro
cinco seis siete ocho nueve diez cien mil hablar beber comer vivir subir bajar poner mover volver empezar buscar
probar comprar vender abrir cerrar jugar trabajar caminar viajar volar bailar bombero famoso feliz triste bonito
nuevo viejo joven bajo pobre suave profundo favor nunca siempre mucho poco muy también pero porque cuando donde
quién hoy ayer llave lluvia jabón reloj zapato camisa sombrero bolsa papel lápiz libro juego música película
teléfono problema familia fiesta trabajo escuela museo hospital iglesia mercado jamón naranja
"""

_FRENCH = """
bonjour bonsoir merci pardon oui non peut-être toujours jamais beaucoup peu un deux trois quatre cinq six sept huit
neuf dix vingt cent mille père mère frère sœur oncle tante enfant bébé homme femme garçon fille ami amie voisin
maison chambre cuisine porte fenêtre mur toit jardin rue ville village pont bateau avion voiture vélo train chemin
forêt fleur arbre feuille pomme poire prune fraise banane orange citron beurre pain fromage œuf bœuf poulet poisson
soupe vin bière eau lait café sucre poivre sel rouge bleu vert jaune blanc noir brun rose lune soleil pluie neige
vent nuage feu mer plage montagne fleuve lac chien chat oiseau vache cheval mouton loup ours renard papillon abeille
nouveau vieux jeune beau belle petit grand gros heureux malheureux bon mauvais doux dur froid chaud parler boire
manger vivre venir partir ouvrir fermer mettre prendre vouloir pouvoir savoir jouer travailler marcher voyager voler
danser chanter rêver dormir peindre lire écrire musique peinture livre papier film problème famille fête bonheur
peur couleur beurre jupe pull chapeau chemise chaussure lunettes parapluie bouteille fourchette aujourd'hui demain
hier maintenant bientôt lundi juillet août jumeau humeur rumeur tortue voleur œuvre neveu veuve fougère
"""

_ITALIAN = """
ciao buongiorno buonasera grazie prego scusa sì no forse sempre mai molto poco uno due tre quattro cinque sei sette
otto nove dieci venti cento mille padre madre fratello sorella nonno nonna zio zia bambino bambina uomo donna
ragazzo ragazza amico amica casa camera cucina porta finestra muro tetto giardino strada piazza città villaggio
ponte barca aereo macchina bicicletta treno bosco fiore albero foglia mela pera prugna fragola banana arancia limone
burro pane formaggio uovo pollo pesce zuppa vino birra acqua latte caffè zucchero pepe sale rosso blu verde giallo
bianco nero marrone rosa luna sole pioggia neve vento nuvola fuoco mare spiaggia montagna fiume lago cane gatto
uccello mucca cavallo pecora lupo orso volpe farfalla ape nuovo vecchio giovane bello piccolo grande grosso felice
triste buono cattivo dolce duro freddo caldo parlare bere mangiare vivere venire partire aprire chiudere mettere
prendere volere potere sapere giocare lavorare camminare viaggiare volare ballare cantare sognare dormire dipingere
leggere scrivere musica pittura libro carta film problema famiglia festa paura colore gonna cappello camicia scarpa
ombrello bottiglia forchetta oggi domani ieri adesso lunedì luglio agosto gnocchi famoso bravo meraviglioso pomodoro
"""

_PORTUGUESE = """
olá bom dia boa noite obrigado obrigada por favor sim não talvez sempre nunca muito pouco um dois três quatro cinco
seis sete oito nove dez vinte cem mil pai mãe irmão irmã avô avó tio tia bebê homem mulher menino menina amigo amiga
casa quarto cozinha porta janela parede telhado jardim rua praça cidade vila ponte barco avião carro bicicleta trem
caminho floresta flor árvore folha maçã pera uva morango banana laranja limão manteiga pão queijo ovo frango peixe
sopa vinho cerveja água leite café açúcar pimenta sal vermelho azul verde amarelo branco preto marrom roxo lua sol
chuva neve vento nuvem fogo mar praia montanha rio lago cachorro gato pássaro vaca cavalo ovelha lobo urso raposa
borboleta abelha novo velho jovem bonito pequeno grande feliz triste bom mau doce duro frio quente falar beber comer
viver vir partir abrir fechar pôr querer poder saber jogar trabalhar andar viajar voar dançar cantar sonhar dormir
pintar ler escrever música livro papel filme problema família festa medo cor saia chapéu camisa sapato guarda-chuva
garrafa garfo hoje amanhã ontem agora segunda julho agosto coração futebol maravilhoso
"""

_HINDI = """
नमस्ते धन्यवाद हाँ नहीं शायद हमेशा कभी बहुत थोड़ा एक दो तीन चार पाँच छह सात आठ नौ दस बीस सौ हज़ार पिता माता भाई बहन
दादा दादी चाचा बच्चा आदमी औरत लड़का लड़की दोस्त घर कमरा रसोई दरवाज़ा खिड़की दीवार छत बगीचा सड़क शहर गाँव पुल नाव
विमान गाड़ी साइकिल रास्ता जंगल फूल पेड़ पत्ता सेब केला आम अंगूर नींबू मक्खन रोटी पनीर अंडा मुर्गी मछली पानी दूध चाय
चीनी नमक मिर्च लाल नीला हरा पीला सफ़ेद काला भूरा गुलाबी चाँद सूरज बारिश बर्फ़ हवा बादल आग समुद्र पहाड़ नदी झील
कुत्ता बिल्ली पक्षी गाय घोड़ा भेड़ भालू तितली नया पुराना जवान सुंदर छोटा बड़ा खुश दुखी अच्छा बुरा मीठा ठंडा गरम
बोलना पीना खाना जीना आना जाना खोलना बंद रखना लेना चाहना जानना खेलना काम चलना उड़ना नाचना गाना सोना पढ़ना लिखना संगीत
किताब कागज़ फ़िल्म परिवार डर रंग टोपी कमीज़ जूता छाता बोतल आज कल अभी सोमवार भारत प्यार मुबारक बाबू पापा मामा वापस
विश्वास
"""

_GERMAN = """
hallo guten morgen abend danke bitte ja nein vielleicht immer niemals viel wenig eins zwei drei vier fünf sechs
sieben acht neun zehn zwanzig hundert tausend vater mutter bruder schwester onkel tante baby mann frau junge mädchen
freund freundin haus zimmer küche tür fenster mauer dach garten straße stadt dorf brücke boot flugzeug auto fahrrad
zug weg wald blume baum blatt apfel birne pflaume erdbeere banane zitrone butter brot käse ei huhn fisch suppe wein
bier wasser milch kaffee zucker pfeffer salz rot blau grün gelb weiß schwarz braun mond sonne regen schnee wind
wolke feuer meer strand berg fluss see hund katze vogel kuh pferd schaf wolf bär fuchs schmetterling biene neu alt
jung schön klein groß glücklich böse süß hart kalt warm sprechen trinken essen leben kommen gehen öffnen schließen
legen nehmen wollen können wissen spielen arbeiten laufen reisen fliegen tanzen singen träumen schlafen malen lesen
schreiben musik buch papier problem familie angst farbe rock hut hemd schuh löffel gabel messer flasche heute morgen
gestern jetzt montag juli august möchte früh fühlen führen über übung höhle völlig köpfe bücher wünsche pfeife pfund
topf kopf apfelbaum schwimmen zwiebel vogelbeere frühling mühle hübsch lippe puppe wippe bewegen probieren
"""

_INDONESIAN = """
selamat pagi siang sore malam terima kasih ya tidak mungkin selalu banyak sedikit satu dua tiga empat lima enam
tujuh delapan sembilan sepuluh ratus ribu bapak ibu kakak adik paman bibi bayi pria wanita teman rumah kamar dapur
pintu jendela dinding atap kebun jalan kota desa jembatan perahu pesawat mobil sepeda kereta hutan bunga pohon daun
apel pisang mangga jeruk roti keju telur ayam ikan sup air susu kopi gula garam merah biru hijau kuning putih hitam
bulan matahari hujan angin awan api laut pantai gunung sungai danau anjing kucing burung sapi kuda domba kupu lebah
baru lama muda bagus kecil besar senang sedih baik buruk manis keras dingin panas berbicara minum makan hidup datang
pergi membuka menutup mengambil bermain bekerja berjalan terbang menari menyanyi tidur melukis membaca menulis musik
buku kertas keluarga takut warna topi baju sepatu payung botol hari besok kemarin sekarang wayang batik sumba bambu
umbi labu empuk kembang jempol nyaman ngopi pembuat memberi membawa bibir mulut
"""

_POLISH = """
dzień dobry wieczór dziękuję proszę tak nie może zawsze nigdy dużo mało jeden dwa trzy cztery pięć sześć siedem
osiem dziewięć dziesięć sto tysiąc ojciec matka brat siostra wujek ciocia dziecko mężczyzna kobieta chłopiec
przyjaciel dom pokój kuchnia drzwi okno ściana ogród ulica miasto wieś most łódź samolot samochód rower pociąg las
kwiat drzewo liść jabłko gruszka śliwka masło chleb ser jajko kurczak ryba zupa wino piwo woda mleko kawa cukier
pieprz sól czerwony niebieski zielony żółty biały czarny księżyc słońce deszcz śnieg wiatr chmura ogień morze plaża
góra rzeka jezioro pies kot ptak krowa koń owca wilk motyl pszczoła nowy stary młody piękny mały duży szczęśliwy
dobry zły słodki zimny ciepły mówić pić jeść żyć być muzyka książka papier film rodzina strach kolor kapelusz
koszula but parasol butelka dzisiaj jutro wczoraj teraz babcia bomba wóz pompa mama papuga
"""

_RUSSIAN = """
привет добрый день вечер спасибо пожалуйста да нет может всегда никогда много мало один два три четыре пять шесть
семь восемь девять десять сто тысяча отец мать брат сестра дядя тётя ребёнок мужчина женщина мальчик друг дом
комната кухня дверь окно стена сад улица город деревня мост лодка самолёт машина поезд лес цветок дерево лист яблоко
груша слива масло хлеб сыр яйцо курица рыба суп вино пиво вода молоко кофе сахар перец соль красный синий зелёный
жёлтый белый чёрный луна солнце дождь снег ветер облако огонь море пляж гора река озеро собака кошка птица корова
лошадь овца волк медведь бабочка пчела новый старый молодой красивый маленький большой счастливый хороший плохой
сладкий холодный тёплый говорить пить есть жить музыка книга бумага фильм семья страх цвет шляпа рубашка обувь зонт
бутылка сегодня завтра вчера сейчас бабушка бомба буква зубы губы любовь помню
"""

_TURKISH = """
merhaba günaydın akşam teşekkür lütfen evet hayır belki her zaman çok az bir iki üç dört beş altı yedi sekiz dokuz
on yirmi yüz bin baba anne kardeş abla amca teyze bebek adam kadın çocuk arkadaş ev oda mutfak kapı pencere duvar
çatı bahçe sokak şehir köy köprü gemi uçak araba bisiklet tren yol orman çiçek ağaç yaprak elma armut muz limon
tereyağı ekmek peynir yumurta tavuk balık çorba su süt kahve şeker biber tuz kırmızı mavi yeşil sarı beyaz siyah ay
güneş yağmur kar rüzgar bulut ateş deniz plaj dağ nehir göl köpek kedi kuş inek at koyun kurt ayı kelebek arı yeni
eski genç güzel küçük büyük mutlu üzgün iyi kötü tatlı soğuk sıcak konuşmak içmek yemek yaşamak müzik kitap kağıt
film aile korku renk şapka gömlek ayakkabı şemsiye şişe bugün yarın dün
"""

WORDS: Final[dict[str, tuple[str, ...]]] = {
    language: tuple(text.split())
    for language, text in {
        **{"en-us": _ENGLISH, "en-gb": _ENGLISH, "es": _SPANISH, "fr": _FRENCH, "it": _ITALIAN, "pt-br": _PORTUGUESE},
        **{"hi": _HINDI, "de": _GERMAN, "id": _INDONESIAN, "pl": _POLISH, "ru": _RUSSIAN, "tr": _TURKISH},
    }.items()
}
"""espeak-ng's name of a language -> its words."""

TEMPLATES: Final = (
    "please move the {} to the {}",
    "my {} was above your {}",
    "what would we buy for the {}",
    "a {} and a {} from the {}",
    "I have never believed in {}",
    "you should put {} before {}",
    "where are the {} and the {}",
    "maybe {} will be {} by {}",
    "we both love the {} of the {}",
    "give me {} more {} and five {}",
    "who knew about the {} in the room",
    "if it is {}, then why is it {}",
    "who threw the {} over the {}",
    "the boy with the {} saw four {}",
    "bring up {}, please, or wave at {}",
    "oh no, the {} fell off the {}",
    "don't choose {}, choose {}",
    "I wish I were a {} with a {}",
    "few people have {} for {}",
    "they took {}, {}, {} and {}",
)
"""English frames around words, so that common function words and weak forms occur as well."""
