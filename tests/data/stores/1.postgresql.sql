SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.applied_request (
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL COLLATE pg_catalog."C",
    record_id bigint,
    created bigint NOT NULL
);
CREATE TABLE public.attachment (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    thread_id bigint,
    kind text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.attachment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attachment_id_seq OWNED BY public.attachment.id;
CREATE TABLE public."case" (
    id bigint NOT NULL,
    source_id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.case_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.case_id_seq OWNED BY public."case".id;
CREATE TABLE public.config (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.config_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.config_id_seq OWNED BY public.config.id;
CREATE TABLE public.content (
    id bigint NOT NULL,
    hash text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    media_type text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL
);
CREATE SEQUENCE public.content_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.content_id_seq OWNED BY public.content.id;
CREATE TABLE public.content_part (
    content_id bigint NOT NULL,
    "position" bigint NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE public.content_use (
    run_id bigint NOT NULL,
    hash text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.milestone (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.milestone_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.milestone_id_seq OWNED BY public.milestone.id;
CREATE TABLE public.moment (
    name text NOT NULL COLLATE pg_catalog."C",
    "time" bigint NOT NULL
);
CREATE TABLE public.plan (
    project_id bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    runs text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL
);
CREATE TABLE public.project (
    id bigint NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE public.removed_run (
    id bigint NOT NULL,
    source_id bigint NOT NULL
);
CREATE TABLE public.result (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    thread_id bigint NOT NULL,
    case_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    folder text NOT NULL COLLATE pg_catalog."C",
    status integer NOT NULL,
    is_replaced boolean DEFAULT false NOT NULL,
    result_class integer NOT NULL,
    elapsed bigint,
    file text COLLATE pg_catalog."C",
    line bigint,
    assertions bigint,
    fields text COLLATE pg_catalog."C",
    artifacts text COLLATE pg_catalog."C",
    created bigint NOT NULL,
    failed_attempts integer,
    phase text COLLATE pg_catalog."C",
    message text COLLATE pg_catalog."C",
    fingerprint bigint,
    started bigint,
    setup bigint,
    teardown bigint,
    steps text COLLATE pg_catalog."C",
    comparison text COLLATE pg_catalog."C",
    colours text COLLATE pg_catalog."C",
    attempts text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.result_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.result_id_seq OWNED BY public.result.id;
CREATE TABLE public.run (
    id bigint NOT NULL,
    untested_count bigint NOT NULL,
    status1_count bigint NOT NULL,
    status2_count bigint NOT NULL,
    status3_count bigint NOT NULL,
    status4_count bigint NOT NULL,
    status5_count bigint NOT NULL,
    success_count bigint NOT NULL,
    failure_count bigint NOT NULL,
    completed_count bigint NOT NULL,
    total_count bigint NOT NULL,
    project_id bigint NOT NULL,
    source_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    config_id bigint,
    milestone_id bigint,
    tags text NOT NULL COLLATE pg_catalog."C",
    status integer NOT NULL,
    is_completed boolean NOT NULL,
    elapsed bigint,
    thread_count bigint NOT NULL,
    thread_active_count bigint NOT NULL,
    created bigint NOT NULL,
    updated bigint,
    completed bigint,
    branch text COLLATE pg_catalog."C",
    commit text COLLATE pg_catalog."C",
    target_branch text COLLATE pg_catalog."C",
    author text COLLATE pg_catalog."C",
    selection text COLLATE pg_catalog."C",
    collected bigint,
    deselected bigint,
    changes text COLLATE pg_catalog."C",
    speed double precision
);
CREATE TABLE public.run_document (
    run_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_id_seq OWNED BY public.run.id;
CREATE TABLE public.run_tag (
    run_id bigint NOT NULL,
    tag text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.secret (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.source (
    id bigint NOT NULL,
    project_id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    created bigint NOT NULL,
    main_branch text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.source_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.source_id_seq OWNED BY public.source.id;
CREATE TABLE public.store_version (
    version integer NOT NULL
);
CREATE TABLE public.thread (
    id bigint NOT NULL,
    untested_count bigint NOT NULL,
    status1_count bigint NOT NULL,
    status2_count bigint NOT NULL,
    status3_count bigint NOT NULL,
    status4_count bigint NOT NULL,
    status5_count bigint NOT NULL,
    success_count bigint NOT NULL,
    failure_count bigint NOT NULL,
    completed_count bigint NOT NULL,
    total_count bigint NOT NULL,
    run_id bigint NOT NULL,
    "position" bigint NOT NULL,
    status integer NOT NULL,
    is_completed boolean NOT NULL,
    elapsed_observed bigint,
    elapsed_computed bigint,
    created bigint NOT NULL,
    completed bigint,
    session_started bigint,
    running text COLLATE pg_catalog."C",
    job text COLLATE pg_catalog."C",
    attempt bigint,
    collection text COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.thread_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.thread_id_seq OWNED BY public.thread.id;
CREATE TABLE public.token (
    name text NOT NULL COLLATE pg_catalog."C",
    hash text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    project_id bigint,
    created bigint NOT NULL
);
ALTER TABLE ONLY public.attachment ALTER COLUMN id SET DEFAULT nextval('public.attachment_id_seq'::regclass);
ALTER TABLE ONLY public."case" ALTER COLUMN id SET DEFAULT nextval('public.case_id_seq'::regclass);
ALTER TABLE ONLY public.config ALTER COLUMN id SET DEFAULT nextval('public.config_id_seq'::regclass);
ALTER TABLE ONLY public.content ALTER COLUMN id SET DEFAULT nextval('public.content_id_seq'::regclass);
ALTER TABLE ONLY public.milestone ALTER COLUMN id SET DEFAULT nextval('public.milestone_id_seq'::regclass);
ALTER TABLE ONLY public.result ALTER COLUMN id SET DEFAULT nextval('public.result_id_seq'::regclass);
ALTER TABLE ONLY public.run ALTER COLUMN id SET DEFAULT nextval('public.run_id_seq'::regclass);
ALTER TABLE ONLY public.source ALTER COLUMN id SET DEFAULT nextval('public.source_id_seq'::regclass);
ALTER TABLE ONLY public.thread ALTER COLUMN id SET DEFAULT nextval('public.thread_id_seq'::regclass);
INSERT INTO public.applied_request VALUES ('e30bbcedfa67c57d4b737c15fb5e799f3b32a44c6e0d58fcc6f51692541d4a17', 'e712738ce56d4f60ca05e2b29f14d8a6aeb196b3687a9a6087b74bf674f31c45', 1, 1796255675989581);
INSERT INTO public.applied_request VALUES ('32973a8b72790a99995568c56c681f74909d3541a89c6d04e851ae08a7b27c48', '9b759b701c900154d1d228e2cad5121d305406559125e73f0e68a3bd85cd3b1b', 1, 1796255675997417);
INSERT INTO public.applied_request VALUES ('cab678445a07fa00fa34d47345dd854c545259ab8863c37d98c215a8965471f9', '11bf48adfc57612c5072b2aa6c50df63aa62cd0393a1ba1c33883aa8d8ed326b', NULL, 1796255676001306);
INSERT INTO public.applied_request VALUES ('88e6a5fa6bd34a715d22235796232e36c24f7a486053b0a652fe97920dca6999', '00450494827ca54287caaa510c29867cd5f47272ce3fd2df26e0d439e7418e92', NULL, 1796255676005428);
INSERT INTO public.applied_request VALUES ('71694d209ef2ae38209e47b30be47be46f5fac112e77b6ce4a7ab0d9afb22db1', '1591e252a328f8e184db761c083875801e8efb0f52dd44068c6071aab9af7846', NULL, 1796255676010942);
INSERT INTO public.applied_request VALUES ('f0a9319da55cd97bd4e900cdb91d480a1fb610ac79a5c29417749a3ebc0f3f66', '346bbe50180713e624486a52985478d76af631c6f0c4f0100ec311b4c7b760ab', NULL, 1796255676015917);
INSERT INTO public.applied_request VALUES ('e59cc53652489ea3b5029b1f1948a51d1efd484c3260cdb35084e80db2760685', '2830a1dc1deea7df7b5ffffd0c424bf3461b60195614a5d9d27a8085edfe628b', 2, 1796255676202986);
INSERT INTO public.applied_request VALUES ('e0c18a2247b9562c4eccf0d47d1e595215e72304128d03b6345f90a669e8bd49', '56ccd57d5f002d013cee12f90292877e2d7a1e245d80c2702bbb4fcfbc958a5c', NULL, 1796255676209848);
INSERT INTO public.applied_request VALUES ('f51bc8fb0792f3b3dba0ff0598ae3d6fda5237ad08c2dd471048455721a1d7e5', 'b0a74b396a6ee4be69f838f45ba9f725cf713adc778d9602f26367daf5013c8f', 2, 1796255676208666);
INSERT INTO public.applied_request VALUES ('702a3703f1a7e4b78f1eff2edb8ebae0925e491516101165df93d7323ba8ae39', 'ddcf99284819c09747091dba3a27d41265c3157310eb1167400f5aa10acda6b8', NULL, 1796255676213701);
INSERT INTO public.applied_request VALUES ('945e803c1c7205500c33e209477a3c8f6f93bd45c8468b02e92f4ebebf020318', '7732f4561724b1f5f341d201d4c02eec7501ffd3521ea24b8f9a2ecfe7a140ee', NULL, 1796255676218076);
INSERT INTO public.applied_request VALUES ('35510014d14d01f723438a9ec78f3eac3823b9d3099c3abf130d51adb2b48c9d', '15b1a8dde2b139d33975a7730aab204cd8fcc116eb165bb844ec20b2cb538608', NULL, 1796255676221023);
INSERT INTO public.applied_request VALUES ('bf12a34fc1f9c05dfd8a026414b507f74a52b5c368a7f7a13f2c3937981094ed', '95cb95a97120920c36cac048d6387f6d0bdeae3eeb815ee39e8c562112e82042', 4, 1796255677199793);
INSERT INTO public.applied_request VALUES ('3f3b4f5fbf027fa5dcc404a1562ecda215932b16b62ea1a4c21b8adba97cea21', '45879c5ea44d8a8de7ebd66e6e956bb2bbe09764f95a9260af897a4c64cc76b2', NULL, 1796255677213452);
INSERT INTO public.applied_request VALUES ('d6e5152337fd7b3c417d5d65d09bec54954e1418442d5456a8d173694374ac61', 'e99cc3ec56e7f5d144a94c7145726fe89a448805f18468f711b9c71dac6ced2f', 3, 1796255677212889);
INSERT INTO public.applied_request VALUES ('0d42e9cf97224ddb78bdca2563aca5633b4ff0a817b95daf521fb8e34f9cf775', '914739a618c8452a1f99742ba3a4e4acde72077661dbd7c79927c61fbe340ce2', NULL, 1796255677218070);
INSERT INTO public.applied_request VALUES ('19668e41bbed2967d5506b1db40f0d5e6bfda9377da84a73bab0dc8d0a624057', '696ccbd216ecb5bfa7f4f8f0890d32f4ee313af9279562e749fd04af5ed8967c', NULL, 1796255677223702);
INSERT INTO public.applied_request VALUES ('6bc9251c6fa8eadc3b8a57dbacbdd8677a5c1c94a3e1e22f8771386366d35ad6', '971a0a78129861f44ccfc2db2708e749df194444a72315b8051d3a78d7fd5fbe', NULL, 1796255677228783);
INSERT INTO public.applied_request VALUES ('13761b0c7e6033368d294db716a73c119e2533204447ff0e2e2c86c0c5ed59d6', '619a1dba056265d7e3206843328f4332b5af640ce0ab441e0b9293323f778936', 5, 1796255677833569);
INSERT INTO public.applied_request VALUES ('60e24d6d788e9ed74e9114bf3fde337e56119b7603f3671771992f1423e65d6e', '9291bf4028ee5ba21c452a86e2e7248d840f83b8913687c0219fed82eb2a06da', NULL, 1796255677998824);
INSERT INTO public.applied_request VALUES ('9a457ca10e1b1f74bd8f6e3b1db7789e82b2129af4697daa0d24dbb0f588e04d', 'ecb82d3c01bea01cd3184ef467c5b8ec67c4eb76189ed7eb64f05606de3aab1a', 4, 1796255677998734);
INSERT INTO public.applied_request VALUES ('c9afb80af9b292480dc28a46759282fecb4dbec8de9bd5579d2b18e5a3263771', 'd0c9a85dd0ce86b28678a82fdb5cdd02b684dabce77ca1dec7ab445533e0490d', NULL, 1796255678004964);
INSERT INTO public.applied_request VALUES ('67231b1563b45ced7d94b42a4ed10eb140fa3cab017cd7660ef7b59b9bc85df9', '69ae08106516cf24d6573788b2208cae102415d89fbfbc6427ff018784e30ae3', NULL, 1796255678011573);
INSERT INTO public.applied_request VALUES ('b1c48a28ce5bd4e5cbef97ac0d8b35bfa53e1d8d307161e2169fb6d3f36bcea2', '666c9e0a8b9fe72b74f8afda81e83766b729f1df69ce6d933f423cd8fa9e676b', 5, 1796255678012858);
INSERT INTO public.applied_request VALUES ('0e1c08c5ec8b1803b84b4488642b775be17fe869f2d4190106511a711cbe66df', 'fd75c5e70269e1b0b73801762f900a1e1120c681d9c4361851f3d4f2399ee50c', NULL, 1796255678017245);
INSERT INTO public.applied_request VALUES ('2ec61210bd7ec9aa178cd6ba361e7edce6b8830f7e523e83f530f613412b3531', '7fcc59270c5e1ecc328fc2bfdf4c0477a4d713feeb981088ca4439944ab43457', NULL, 1796255678022371);
INSERT INTO public.applied_request VALUES ('2662d3e041f753a0938a51656d46534668806bc26b16cd3615d6ddc0f83ac29d', 'e5ecd76877e42ac27dcd89e045f772bdeec7458bff0e61479942083b3ae2db9d', NULL, 1796255678025228);
INSERT INTO public.applied_request VALUES ('4dc95d321e11424ee322dfa974a91cf5cdde3c09829f614d7f19ee7010e30192', '3c495676f3f0f28e703913a8c1462f96bcf224d704fbcc2c7c2be8482e909372', 6, 1796255678412835);
INSERT INTO public.applied_request VALUES ('794a537f0b54a110b26132a2e53e2bb92e345c1241de13f32ed74f7028f9515a', '37eda59a944c8670e7af6baebfd711e9e4ed7402bebf7385a6b865be23ba8e04', NULL, 1796255678422629);
INSERT INTO public.applied_request VALUES ('2c2c3247ddd2cf01772de02da0486e81780cc6212c4027fcda9cec65cb0b7381', '95c0cbfb155247b1d2a908d39afd42d72729631beb347d540c2e2bf678916ada', 6, 1796255678422013);
INSERT INTO public.applied_request VALUES ('7a3c69c5f8bfbf97a5ceaae1a9e4755887f05d6ca44904c5ff9196e052ca24b9', 'b538a21f36df27a1db86d5b3b4931345d6e5e50726a3869b8de128656f3ede12', NULL, 1796255678426710);
INSERT INTO public.applied_request VALUES ('ddd5fb5598a3bd88c4bbc7386fbd0d3d288c94a41accfbe02cedd9086ebdfea4', 'ee64a2675f3ae6681bde396781fa35a34be560698b5c4f56b5a1d3a535018a9a', NULL, 1796255678432099);
INSERT INTO public.applied_request VALUES ('7ceaf93ea29276c85d90525af34f333ca36fbc4a86347d61aa80dd4dd049dd0d', '2e11346bcc76cc96043568c06392413b890a5b9314a7a91157fe5b6fca9955c8', NULL, 1796255678435300);
INSERT INTO public.applied_request VALUES ('128d183254ace62ada07cc84172a3f8713174b682ef9ed9d5f6ab3f3e3b8d170', '8074f7359f05ee6457c052dcb07bd030147e90a175c9a2c439cdb32061720499', 7, 1796255679006065);
INSERT INTO public.applied_request VALUES ('d406e2b49ff6ad59a524ba6cea4f3f2a23eb211bc8e194dbdb1fce930d1dcc30', '528a53a467620ac80a960e6d5045d12c7c22efb6cf2f4c7a570de55c666c933c', 7, 1796255679010938);
INSERT INTO public.applied_request VALUES ('ed846930cd9b54953d2649faa1d7f6b30d94d3949c57353b6281b9b4bdb03456', '657750c38ce689db5cf80de5d4d9968a818e1743487cbeebab084c242d8ee487', NULL, 1796255679015838);
INSERT INTO public.applied_request VALUES ('dc054c42c394f033cb65c648a018257bf0a5de9db302fc439eb8173b89f1b904', '903ebcd3fa0c4e86ae86aa19cc553842d48edd9d4c0541a0aa5ae2bedc7d3a4d', NULL, 1796255679020650);
INSERT INTO public.applied_request VALUES ('b453b867fdd4d86d4ce8e4672ebb1ce2384dbfc1dc20ae6e653d82a5ddf28bcc', '50681dbdb447d875d8a90c1cb9a9da7ba76897e4e8498561e069c2482991a617', NULL, 1796255679024173);
INSERT INTO public.applied_request VALUES ('f5554329879a55150515f944b08bf54f049f9d72aaa8451ffcfae2c5e1215b45', '0ae411a69775a25431ad9beefe7d47ca3ec2ad52bf52d6bf739962d89ff60c10', 8, 1796255679577683);
INSERT INTO public.applied_request VALUES ('65353043580f95b94bf8963ae0d7072f5918ccf82087099aa20ba9cfc6758028', '3aa2e0155c6d3961916e547a70559c4eebafe668494dfeb3981e444990477a99', NULL, 1796255679581420);
INSERT INTO public.applied_request VALUES ('8582a7f61790fff9f6cc9ea312131b0f9315ad9c579f0b3ea53b3f4564e1d101', '1b20bf33e8d4dad4e3c5d5232a38dab32b575346fb66e0a19bb89d0730dd35c1', NULL, 1796255679585930);
INSERT INTO public.applied_request VALUES ('ffe8acd4a56b5eb9fe9ffe890b49b8e065f98c5367d639d04c14f8b8d276291a', 'bed60d105deb7de13dd8a39ebbb80993c823b5c2937ab0f3dec78bf86e469257', NULL, 1796255679588938);
INSERT INTO public.attachment VALUES (8, 2, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261202T235436-1cd637d0"}');
INSERT INTO public.attachment VALUES (9, 2, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (10, 2, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (11, 2, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (12, 2, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (13, 2, 2, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (14, 2, NULL, 'fields', '{"type":1,"name":"Session","value":"2 results submitted from 1 file"}');
INSERT INTO public.attachment VALUES (15, 3, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (16, 3, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (17, 3, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (18, 3, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (19, 4, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261202T235437-61180f75"}');
INSERT INTO public.attachment VALUES (20, 4, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (21, 4, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (22, 4, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (23, 4, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (24, 4, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (25, 4, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (26, 4, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (27, 4, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (28, 4, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (29, 4, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (30, 4, 3, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (31, 4, NULL, 'fields', '{"type":1,"name":"Session","value":"no test failed (exit status 0)"}');
INSERT INTO public.attachment VALUES (32, 5, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261202T235437-f4d3c0c2"}');
INSERT INTO public.attachment VALUES (33, 5, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (34, 5, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (35, 5, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (36, 5, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (37, 5, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (38, 5, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (39, 5, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (40, 5, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (41, 5, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (42, 5, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (43, 5, 4, 'fields', '{"type":1,"name":"Worker","value":"gw0"}');
INSERT INTO public.attachment VALUES (44, 5, NULL, 'fields', '{"type":1,"name":"Session","value":"tests failed (exit status 1)"}');
INSERT INTO public.attachment VALUES (45, 5, 5, 'fields', '{"type":1,"name":"Worker","value":"gw1"}');
INSERT INTO public.attachment VALUES (46, 6, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261202T235438-a837ff3f"}');
INSERT INTO public.attachment VALUES (47, 6, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (48, 6, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (57, 6, 6, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (49, 6, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (50, 6, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (51, 6, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (52, 6, NULL, 'fields', '{"type":1,"name":"Branch","value":"feat/login"}');
INSERT INTO public.attachment VALUES (53, 6, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (54, 6, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (55, 6, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (56, 6, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (58, 6, NULL, 'fields', '{"type":1,"name":"Session","value":"tests failed (exit status 1)"}');
INSERT INTO public.attachment VALUES (59, 7, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (60, 7, NULL, 'fields', '{"type":1,"name":"Commit","value":"ef3fab7a5f6791463488b8049e725f78bca0d096"}');
INSERT INTO public.attachment VALUES (61, 7, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (62, 7, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (66, 7, 7, 'fields', '{"type":1,"name":"Session","value":"no test failed (exit status 0)"}');
INSERT INTO public.attachment VALUES (63, 7, 7, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (64, 7, 7, 'fields', '{"type":1,"name":"Job","value":"test 1/2"}');
INSERT INTO public.attachment VALUES (65, 7, 7, 'fields', '{"type":1,"name":"Shard","value":"1/2"}');
INSERT INTO public.attachment VALUES (70, 7, 8, 'fields', '{"type":1,"name":"Session","value":"no test failed (exit status 0)"}');
INSERT INTO public.attachment VALUES (67, 7, 8, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (68, 7, 8, 'fields', '{"type":1,"name":"Job","value":"test 2/2"}');
INSERT INTO public.attachment VALUES (69, 7, 8, 'fields', '{"type":1,"name":"Shard","value":"2/2"}');
INSERT INTO public."case" VALUES (1, 1, '32bf429c3c266c5aa9ea5b2aa17ff3fdd00af66e7c7dafc64ca6106006ae3878');
INSERT INTO public."case" VALUES (2, 1, 'f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591');
INSERT INTO public."case" VALUES (3, 2, '1ab2690b6aebb0753a22b7ebc72ec88b69682e2aa10ec3bd4fad2bc89a50e8aa');
INSERT INTO public."case" VALUES (4, 2, '1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8');
INSERT INTO public."case" VALUES (5, 2, '1cc6d32bfde2b08c8ef52b5156b53ebc36b1e3dff9dab175bf6ea915bf896858');
INSERT INTO public."case" VALUES (6, 2, '7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962');
INSERT INTO public."case" VALUES (7, 2, '9691523f13929445fd250b34192d3adab854af50c32a256f9a93924aba282d1a');
INSERT INTO public."case" VALUES (8, 2, 'b58c904526db172a78f5d4ef5c353af870c96052fe11c61794847505ded8b511');
INSERT INTO public."case" VALUES (9, 2, 'c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d');
INSERT INTO public."case" VALUES (10, 2, 'c6b53d402e654bd78f236795cd76200b6b2ca656f43cf3546ac5a6ff1609a4ab');
INSERT INTO public."case" VALUES (11, 2, 'd4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8');
INSERT INTO public."case" VALUES (12, 2, 'ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f');
INSERT INTO public.config VALUES (1, 1, 'linux');
INSERT INTO public.content VALUES (1, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b', 9, 'text/plain; charset=utf-8', 1796255679575121);
INSERT INTO public.content_part VALUES (1, 0, '\x612070696374757265');
INSERT INTO public.content_use VALUES (4, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (5, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (6, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (7, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.milestone VALUES (1, 1, 'May');
INSERT INTO public.moment VALUES ('prune', 1796255676825401);
INSERT INTO public.plan VALUES (1, 'run-key-pipeline-7-b629a22b0c', '[5, 4]', 1796255678929105);
INSERT INTO public.project VALUES (2, 1796255675990630);
INSERT INTO public.project VALUES (1, 1796255677200483);
INSERT INTO public.removed_run VALUES (1, 1);
INSERT INTO public.result VALUES (3, 2, 2, 1, 'opens', 'web.Login', 2, false, 2, 500000, NULL, NULL, NULL, '[{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796255676213969, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (4, 2, 2, 2, 'refuses', 'web.Login', 3, false, 3, 250000, NULL, NULL, NULL, '[{"type":4,"name":"Failure","value":"at login.js:7","meta":{"message":"expected 403"},"is_highlight":true},{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796255676213969, NULL, 'call', 'expected 403', 8753242425155561893, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (5, 4, 3, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 451, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 13151, 212, 74, '[{"name":"fill the cart","status":"passed","elapsed":19,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (6, 4, 3, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 394, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 14344, 201, 60, '[{"name":"fill the cart","status":"passed","elapsed":18,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (7, 4, 3, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 300, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 15138, 134, 51, '[{"name":"fill the cart","status":"passed","elapsed":16,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (8, 4, 3, 4, 'test_discount', 'test_shop', 2, false, 2, 523, 'test_shop.py', 20, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">pay</test-step></test-steps>"},{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796255677218263, NULL, NULL, NULL, NULL, 15795, 36, 48, '[{"name":"pay","status":"passed","elapsed":3}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (9, 4, 3, 11, 'test_price', 'test_shop', 2, false, 2, 180, 'test_shop.py', 27, NULL, NULL, NULL, 1796255677218263, NULL, NULL, NULL, NULL, 16728, 39, 39, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (10, 4, 3, 12, 'test_known', 'test_shop', 2, false, 2, 104, 'test_shop.py', 32, NULL, NULL, NULL, 1796255677218263, NULL, NULL, NULL, NULL, 17167, 33, 34, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (11, 4, 3, 6, 'test_flaky', 'test_shop', 2, false, 2, 140, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 17555, 33, 37, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (12, 4, 3, 8, 'test_skipped', 'test_shop', 6, false, 1, 99, 'test_shop.py', 43, NULL, '[{"type":4,"name":"Skipped","value":"/tmp/tmpea8yejdn/test_shop.py:43: not today","meta":{"message":"not today","type":"pytest.skip"},"is_highlight":true}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 17984, 54, 44, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (13, 4, 3, 3, 'test_xfailed', 'test_shop', 6, false, 1, 205, 'test_shop.py', 48, NULL, '[{"type":4,"name":"Skipped","value":"a bug","meta":{"message":"a bug","type":"pytest.xfail"},"is_highlight":true}]', NULL, 1796255677218263, NULL, NULL, NULL, NULL, 18497, 44, 87, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (14, 4, 3, 9, 'test_setup', 'test_shop', 2, false, 2, 189, 'test_shop.py', 59, NULL, NULL, NULL, 1796255677218263, NULL, NULL, NULL, NULL, 32088, 94, 48, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (15, 5, 4, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 1135, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678005130, NULL, NULL, NULL, NULL, 237546, 521, 113, '[{"name":"fill the cart","status":"passed","elapsed":62,"steps":[{"name":"choose","status":"passed","elapsed":3}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (16, 5, 4, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 513, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678005130, NULL, NULL, NULL, NULL, 241203, 256, 71, '[{"name":"fill the cart","status":"passed","elapsed":29,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (17, 5, 4, 12, 'test_known', 'test_shop', 3, false, 3, 378, 'test_shop.py', 32, NULL, '[{"type":4,"name":"Failure","value":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","meta":{"message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":1,"name":"Known until","value":"2999-12-31 SHOP-1 the bank is closed"}]', NULL, 1796255678005130, NULL, 'call', 'AssertionError: the bank is closed', -618351075545594364, 242873, 77, 128, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (18, 5, 4, 6, 'test_flaky', 'test_shop', 2, false, 2, 435, 'test_shop.py', 36, NULL, '[{"type":1,"name":"Attempts","value":"2","meta":{"counts":"attempts"}},{"type":4,"name":"Attempt 1","value":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError\n\ntry: 1","meta":{"message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call","status":"failure","elapsed":"1167"}},{"type":1,"name":"try","value":"2"}]', NULL, 1796255678005130, 1, NULL, NULL, NULL, 260453, 118, 211, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (19, 5, 4, 8, 'test_skipped', 'test_shop', 6, false, 1, 112, 'test_shop.py', 43, NULL, '[{"type":4,"name":"Skipped","value":"/tmp/tmpea8yejdn/test_shop.py:43: not today","meta":{"message":"not today","type":"pytest.skip"},"is_highlight":true}]', NULL, 1796255678005130, NULL, NULL, NULL, NULL, 267768, 59, 52, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (20, 5, 5, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 585, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678017554, NULL, NULL, NULL, NULL, 237524, 258, 95, '[{"name":"fill the cart","status":"passed","elapsed":26,"steps":[{"name":"choose","status":"passed","elapsed":7}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (30, 6, 6, 12, 'test_known', 'test_shop', 3, false, 3, 236, 'test_shop.py', 32, NULL, '[{"type":4,"name":"Failure","value":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","meta":{"message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":1,"name":"Known until","value":"2999-12-31 SHOP-1 the bank is closed"}]', NULL, 1796255678427055, NULL, 'call', 'AssertionError: the bank is closed', -618351075545594364, 41008, 60, 78, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (21, 5, 5, 4, 'test_discount', 'test_shop', 3, false, 3, 1154, 'test_shop.py', 20, NULL, '[{"type":4,"name":"Failure","value":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","meta":{"message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"failed\">pay</test-step></test-steps>"},{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796255678017554, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 240668, 69, 144, '[{"name":"pay","status":"failed","elapsed":306}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL);
INSERT INTO public.result VALUES (22, 5, 5, 11, 'test_price', 'test_shop', 3, false, 3, 536, 'test_shop.py', 27, NULL, '[{"type":4,"name":"Failure","value":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","meta":{"message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":4,"name":"Output","value":"the price is 7\n"}]', NULL, 1796255678017554, NULL, 'call', 'AssertionError: the price is wrong', 6250028194770292500, 264176, 91, 75, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL);
INSERT INTO public.result VALUES (23, 5, 5, 3, 'test_xfailed', 'test_shop', 6, false, 1, 214, 'test_shop.py', 48, NULL, '[{"type":4,"name":"Skipped","value":"a bug","meta":{"message":"a bug","type":"pytest.xfail"},"is_highlight":true}]', NULL, 1796255678017554, NULL, NULL, NULL, NULL, 267095, 69, 65, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (24, 5, 5, 9, 'test_setup', 'test_shop', 3, false, 3, 195, 'test_shop.py', 59, NULL, '[{"type":4,"name":"Error","value":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","meta":{"message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"},"is_highlight":true}]', NULL, 1796255678017554, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 269830, 124, 70, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (25, 6, 6, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 778, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678427055, NULL, NULL, NULL, NULL, 14637, 404, 126, '[{"name":"fill the cart","status":"passed","elapsed":25,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (26, 6, 6, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 510, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678427055, NULL, NULL, NULL, NULL, 16619, 239, 84, '[{"name":"fill the cart","status":"passed","elapsed":26,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (27, 6, 6, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 448, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255678427055, NULL, NULL, NULL, NULL, 17717, 204, 78, '[{"name":"fill the cart","status":"passed","elapsed":21,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (28, 6, 6, 4, 'test_discount', 'test_shop', 3, false, 3, 1346, 'test_shop.py', 20, NULL, '[{"type":4,"name":"Failure","value":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","meta":{"message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"failed\">pay</test-step></test-steps>"},{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796255678427055, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 18709, 54, 123, '[{"name":"pay","status":"failed","elapsed":438}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL);
INSERT INTO public.result VALUES (29, 6, 6, 11, 'test_price', 'test_shop', 3, false, 3, 587, 'test_shop.py', 27, NULL, '[{"type":4,"name":"Failure","value":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","meta":{"message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"},"is_highlight":true},{"type":4,"name":"Output","value":"the price is 7\n"}]', NULL, 1796255678427055, NULL, 'call', 'AssertionError: the price is wrong', 6250028194770292500, 38153, 88, 85, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL);
INSERT INTO public.result VALUES (31, 6, 6, 6, 'test_flaky', 'test_shop', 2, false, 2, 198, 'test_shop.py', 36, NULL, '[{"type":1,"name":"Attempts","value":"2","meta":{"counts":"attempts"}},{"type":4,"name":"Attempt 1","value":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError\n\ntry: 1","meta":{"message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call","status":"failure","elapsed":"358"}},{"type":1,"name":"try","value":"2"}]', NULL, 1796255678427055, 1, NULL, NULL, NULL, 43258, 60, 45, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (32, 6, 6, 8, 'test_skipped', 'test_shop', 6, false, 1, 92, 'test_shop.py', 43, NULL, '[{"type":4,"name":"Skipped","value":"/tmp/tmpea8yejdn/test_shop.py:43: not today","meta":{"message":"not today","type":"pytest.skip"},"is_highlight":true}]', NULL, 1796255678427055, NULL, NULL, NULL, NULL, 46301, 49, 42, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (33, 6, 6, 3, 'test_xfailed', 'test_shop', 6, false, 1, 158, 'test_shop.py', 48, NULL, '[{"type":4,"name":"Skipped","value":"a bug","meta":{"message":"a bug","type":"pytest.xfail"},"is_highlight":true}]', NULL, 1796255678427055, NULL, NULL, NULL, NULL, 46766, 53, 50, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (34, 6, 6, 9, 'test_setup', 'test_shop', 3, false, 3, 197, 'test_shop.py', 59, NULL, '[{"type":4,"name":"Error","value":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","meta":{"message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"},"is_highlight":true}]', NULL, 1796255678427055, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 48141, 115, 80, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (35, 7, 7, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 744, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255679016175, NULL, NULL, NULL, NULL, 190086, 354, 103, '[{"name":"fill the cart","status":"passed","elapsed":31,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (36, 7, 7, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 589, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255679016175, NULL, NULL, NULL, NULL, 192094, 226, 80, '[{"name":"fill the cart","status":"passed","elapsed":30,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (37, 7, 7, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 375, 'test_shop.py', 12, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">fill the cart</test-step><test-step status=\"passed\">› choose</test-step></test-steps>"},{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796255679016175, NULL, NULL, NULL, NULL, 193234, 177, 60, '[{"name":"fill the cart","status":"passed","elapsed":16,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (38, 7, 7, 8, 'test_skipped', 'test_shop', 6, false, 1, 114, 'test_shop.py', 43, NULL, '[{"type":4,"name":"Skipped","value":"/tmp/tmpea8yejdn/test_shop.py:43: not today","meta":{"message":"not today","type":"pytest.skip"},"is_highlight":true}]', NULL, 1796255679016175, NULL, NULL, NULL, NULL, 194061, 61, 52, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (39, 7, 7, 3, 'test_xfailed', 'test_shop', 6, false, 1, 308, 'test_shop.py', 48, NULL, '[{"type":4,"name":"Skipped","value":"a bug","meta":{"message":"a bug","type":"pytest.xfail"},"is_highlight":true}]', NULL, 1796255679016175, NULL, NULL, NULL, NULL, 194892, 56, 158, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (40, 7, 8, 4, 'test_discount', 'test_shop', 2, false, 2, 914, 'test_shop.py', 20, NULL, '[{"type":3,"name":"Steps","value":"<test-steps><test-step status=\"passed\">pay</test-step></test-steps>"},{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796255679581588, NULL, NULL, NULL, NULL, 157286, 123, 66, '[{"name":"pay","status":"passed","elapsed":6}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (41, 7, 8, 11, 'test_price', 'test_shop', 2, false, 2, 209, 'test_shop.py', 27, NULL, NULL, NULL, 1796255679581588, NULL, NULL, NULL, NULL, 158827, 48, 46, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (42, 7, 8, 12, 'test_known', 'test_shop', 2, false, 2, 123, 'test_shop.py', 32, NULL, NULL, NULL, 1796255679581588, NULL, NULL, NULL, NULL, 159357, 41, 38, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (43, 7, 8, 6, 'test_flaky', 'test_shop', 2, false, 2, 165, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796255679581588, NULL, NULL, NULL, NULL, 159858, 40, 41, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (44, 7, 8, 9, 'test_setup', 'test_shop', 2, false, 2, 196, 'test_shop.py', 59, NULL, NULL, NULL, 1796255679581588, NULL, NULL, NULL, NULL, 160339, 109, 47, NULL, NULL, NULL, NULL);
INSERT INTO public.run VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 'login', NULL, NULL, '[]', 3, true, 750000, 1, 0, 1796255676203694, 1796255676221262, 1796255676221262, 'main', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, NULL, NULL, NULL, 1);
INSERT INTO public.run VALUES (3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 'still open', NULL, NULL, '["later"]', 4, false, NULL, 0, 0, 1796255676423589, NULL, NULL, 'main', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-02 23:54:38', NULL, NULL, '[]', 3, true, 94856, 1, 0, 1796255678413261, 1796255678435618, 1796255678435618, 'feat/login', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, 10, NULL, NULL, 1);
INSERT INTO public.run VALUES (4, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop 2026-12-02 23:54:37', 1, 1, '["nightly","linux"]', 2, true, 108984, 1, 0, 1796255677200483, 1796255677228994, 1796255677228994, 'main', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, 10, NULL, NULL, 1);
INSERT INTO public.run VALUES (7, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop pipeline-7', NULL, NULL, '["run-key-pipeline-7-b629a22b0c"]', 2, true, 1107582, 2, 0, 1796255679006340, 1796255679880323, 1796255679880323, 'main', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, NULL, NULL, NULL, 1);
INSERT INTO public.run VALUES (5, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-02 23:54:37', 1, 1, '[]', 3, true, 445101, 2, 0, 1796255677833869, 1796255678025517, 1796255678025517, 'main', 'ef3fab7a5f6791463488b8049e725f78bca0d096', NULL, 'ann@example.com', NULL, 10, NULL, NULL, 1);
INSERT INTO public.run_document VALUES (2, 'findings', 11, '{"version":11,"run":2,"base":{"why":"same branch","branch":"main","run":1,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255675990630},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"ran":{"finished":2,"failed":1,"passed":1,"skipped":0,"collected":null,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0},"mine":{"new":0,"back":0,"flaky":0,"still":1,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[{"key":"f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591","folder":"web.Login","name":"refuses","result":4,"status":"failed","since":{"run":1,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255675990630},"kind":"still","same_reason":null,"known":null,"fingerprint":"7979c39be846a9a5"}],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"expected 403","masked":"expected <number>","phase":"call","place":null,"messages":1,"keys":["f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591"],"fingerprint":"7979c39be846a9a5","count":1,"kind":"still","mine":{"still":1},"same_reason":null,"first":{"run":1,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255675990630},"since":{"run":1,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255675990630}}],"flaky":[],"slower":[],"faster":[],"time":{"wall":755309,"before":5309,"tests":750000,"between":0,"waiting":0,"after":0,"balanced":750000,"workers":[{"started":5309,"ended":755309,"tests":750000}]}}');
INSERT INTO public.run_document VALUES (2, 'summary', 11, '{"base":1,"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":1,"known":0},"counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":1}');
INSERT INTO public.run_document VALUES (4, 'findings', 11, '{"version":11,"run":4,"base":null,"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":108984,"before":13151,"tests":2585,"between":16541,"waiting":0,"after":76707,"balanced":2585,"workers":[{"started":13151,"ended":32277,"tests":2585}]}}');
INSERT INTO public.run_document VALUES (4, 'summary', 11, '{"base":null,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":0}');
INSERT INTO public.run_document VALUES (5, 'findings', 11, '{"version":11,"run":5,"base":{"why":"same branch","branch":"main","run":4,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677200483},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0},"mine":{"new":3,"back":0,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":21,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869},"kind":"new","same_reason":null,"known":null,"fingerprint":"f3cca88b05ad6983"},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":17,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869},"kind":"known","same_reason":null,"known":"2999-12-31 SHOP-1 the bank is closed","fingerprint":"f76b2cf9139fc604"},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":22,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869},"kind":"new","same_reason":null,"known":null,"fingerprint":"56bc8f8771758f14"},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":24,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869},"kind":"new","same_reason":null,"known":null,"fingerprint":"e3077ccf0a8b7ee9"}],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869}},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869}},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"56bc8f8771758f14","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869}},{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"f76b2cf9139fc604","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796255677833869}}],"flaky":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":21,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":18,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":24,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":22,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":17,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false}],"slower":[],"faster":[],"time":{"wall":445101,"before":475070,"tests":5257,"between":57578,"waiting":2145,"after":350152,"balanced":2645,"workers":[{"started":237546,"ended":267880,"tests":2573},{"started":237524,"ended":270025,"tests":2684}]}}');
INSERT INTO public.run_document VALUES (5, 'summary', 11, '{"base":4,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":3,"back":0,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (6, 'findings', 11, '{"version":11,"run":6,"base":null,"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"f76b2cf9139fc604","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":{"run":6,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255678413261}},{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":null},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":null},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"56bc8f8771758f14","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ef3fab7a5f6791463488b8049e725f78bca0d096","author":"ann@example.com","changes":null,"at":1796255677833869},"since":null}],"flaky":[{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":31,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":1,"low":0.2065,"high":1.0,"is_known":false}],"slower":[],"faster":[],"time":{"wall":94856,"before":14637,"tests":4550,"between":29151,"waiting":0,"after":46518,"balanced":4550,"workers":[{"started":14637,"ended":48338,"tests":4550}]}}');
INSERT INTO public.run_document VALUES (6, 'summary', 11, '{"base":null,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (7, 'findings', 11, '{"version":11,"run":7,"base":null,"earlier_source":null,"is_partial":false,"whole":{"tests":10,"cases":10,"of_jobs":2,"missing":0,"twice":0,"jobs":[]},"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":1107582,"before":949185,"tests":3737,"between":4626,"waiting":567148,"after":690468,"balanced":1876,"workers":[{"started":190086,"ended":195200,"tests":2130},{"started":759099,"ended":762348,"tests":1607}]}}');
INSERT INTO public.run_document VALUES (7, 'summary', 11, '{"base":null,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":0}');
INSERT INTO public.run_tag VALUES (3, 'later');
INSERT INTO public.run_tag VALUES (4, 'nightly');
INSERT INTO public.run_tag VALUES (4, 'linux');
INSERT INTO public.run_tag VALUES (7, 'run-key-pipeline-7-b629a22b0c');
INSERT INTO public.secret VALUES ('pages', 'w27bg3pOpbMxY8yiOCLZUtVj56SvHLt3ksIowWShOX4');
INSERT INTO public.source VALUES (1, 2, 'web', 1796255675990630, NULL);
INSERT INTO public.source VALUES (2, 1, 'shop', 1796255677200483, NULL);
INSERT INTO public.store_version VALUES (1);
INSERT INTO public.thread VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 3, true, NULL, 750000, 1796255676209003, 1796255676218346, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (3, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 4, 1, 2, true, 20123, 2585, 1796255677213514, 1796255677224379, 1796255677120010, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (4, 0, 3, 1, 0, 0, 1, 3, 1, 5, 5, 5, 1, 3, true, 31076, 2573, 1796255677999221, 1796255678011940, 1796255677580416, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (5, 0, 1, 3, 0, 0, 1, 1, 3, 5, 5, 5, 2, 3, true, 34191, 2684, 1796255678013121, 1796255678022542, 1796255677580416, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 6, 1, 3, true, 36042, 4550, 1796255678422570, 1796255678432318, 1796255678340762, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (7, 0, 3, 0, 0, 0, 2, 3, 0, 5, 5, 7, 1, 2, true, 21166, 2130, 1796255679011354, 1796255679024489, 1796255678772741, NULL, 'test 1/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":5}');
INSERT INTO public.thread VALUES (8, 0, 5, 0, 0, 0, 0, 5, 0, 5, 5, 7, 2, 2, true, 4297, 1607, 1796255679577857, 1796255679589106, 1796255679374554, NULL, 'test 2/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":5}');
INSERT INTO public.token VALUES ('ci', 'e1d6c524d9c8bb9547c03042a8436bad8b09997ed6a5ea785f58161ce5782268', 'report', 1, 1796255680086036);
INSERT INTO public.token VALUES ('reader', '80c6b7077217b6882b8b9372d3f5712bc8cee7bcdcf05f3bf471f08ad1bda900', 'read', NULL, 1796255680309788);
INSERT INTO public.token VALUES ('boss', 'a84db31596788108dd728335b56123a751d9e64fcddf198a7f6131bc2548f53c', 'admin', NULL, 1796255680539590);
SELECT pg_catalog.setval('public.attachment_id_seq', 70, true);
SELECT pg_catalog.setval('public.case_id_seq', 12, true);
SELECT pg_catalog.setval('public.config_id_seq', 1, true);
SELECT pg_catalog.setval('public.content_id_seq', 1, true);
SELECT pg_catalog.setval('public.milestone_id_seq', 1, true);
SELECT pg_catalog.setval('public.result_id_seq', 44, true);
SELECT pg_catalog.setval('public.run_id_seq', 7, true);
SELECT pg_catalog.setval('public.source_id_seq', 2, true);
SELECT pg_catalog.setval('public.thread_id_seq', 8, true);
ALTER TABLE ONLY public.applied_request
    ADD CONSTRAINT applied_request_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT case_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.config
    ADD CONSTRAINT config_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.content_part
    ADD CONSTRAINT content_part_pkey PRIMARY KEY (content_id, "position");
ALTER TABLE ONLY public.content
    ADD CONSTRAINT content_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.content_use
    ADD CONSTRAINT content_use_pkey PRIMARY KEY (run_id, hash);
ALTER TABLE ONLY public.milestone
    ADD CONSTRAINT milestone_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.moment
    ADD CONSTRAINT moment_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.plan
    ADD CONSTRAINT plan_pkey PRIMARY KEY (project_id, key);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.removed_run
    ADD CONSTRAINT removed_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.result
    ADD CONSTRAINT result_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_document
    ADD CONSTRAINT run_document_pkey PRIMARY KEY (run_id, kind);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_tag
    ADD CONSTRAINT run_tag_pkey PRIMARY KEY (run_id, tag);
ALTER TABLE ONLY public.secret
    ADD CONSTRAINT secret_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.thread
    ADD CONSTRAINT thread_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.token
    ADD CONSTRAINT token_pkey PRIMARY KEY (name);
CREATE INDEX applied_request_created ON public.applied_request USING btree (created);
CREATE INDEX attachment_run_id ON public.attachment USING btree (run_id, id);
CREATE UNIQUE INDEX case_source_id_key ON public."case" USING btree (source_id, key);
CREATE UNIQUE INDEX config_project_id_name ON public.config USING btree (project_id, name);
CREATE UNIQUE INDEX content_hash ON public.content USING btree (hash);
CREATE INDEX content_use_hash ON public.content_use USING btree (hash);
CREATE UNIQUE INDEX milestone_project_id_name ON public.milestone USING btree (project_id, name);
CREATE INDEX result_case_id_run_id ON public.result USING btree (case_id, run_id, id, result_class, failed_attempts, elapsed);
CREATE INDEX result_fingerprint_run_id ON public.result USING btree (fingerprint, run_id, id) WHERE (fingerprint IS NOT NULL);
CREATE INDEX result_run_id ON public.result USING btree (run_id, id);
CREATE INDEX result_run_id_status ON public.result USING btree (run_id, status, id);
CREATE INDEX result_thread_id ON public.result USING btree (thread_id, id);
CREATE INDEX result_unstable ON public.result USING btree (run_id, case_id, result_class, failed_attempts, fingerprint, id) WHERE ((result_class = 3) OR (failed_attempts IS NOT NULL));
CREATE INDEX run_config_id ON public.run USING btree (config_id, id);
CREATE INDEX run_milestone_id ON public.run USING btree (milestone_id, id);
CREATE INDEX run_project_id ON public.run USING btree (project_id, id);
CREATE INDEX run_project_id_created ON public.run USING btree (project_id, created, id);
CREATE INDEX run_source_id ON public.run USING btree (source_id, id);
CREATE INDEX run_source_id_branch ON public.run USING btree (source_id, branch, id);
CREATE UNIQUE INDEX source_project_id_name ON public.source USING btree (project_id, name);
CREATE INDEX thread_run_id ON public.thread USING btree (run_id, id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
ALTER TABLE ONLY public.attachment
    ADD CONSTRAINT attachment_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES public.thread(id);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT case_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.source(id);
ALTER TABLE ONLY public.config
    ADD CONSTRAINT config_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.content_part
    ADD CONSTRAINT content_part_content_id_fkey FOREIGN KEY (content_id) REFERENCES public.content(id);
ALTER TABLE ONLY public.content_use
    ADD CONSTRAINT content_use_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
ALTER TABLE ONLY public.milestone
    ADD CONSTRAINT milestone_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.removed_run
    ADD CONSTRAINT removed_run_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.source(id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_config_id_fkey FOREIGN KEY (config_id) REFERENCES public.config(id);
ALTER TABLE ONLY public.run_document
    ADD CONSTRAINT run_document_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_milestone_id_fkey FOREIGN KEY (milestone_id) REFERENCES public.milestone(id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.source(id);
ALTER TABLE ONLY public.run_tag
    ADD CONSTRAINT run_tag_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.thread
    ADD CONSTRAINT thread_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
