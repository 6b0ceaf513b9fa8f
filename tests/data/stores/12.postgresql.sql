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
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';
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
CREATE TABLE public.content_owner (
    content_id bigint NOT NULL,
    project_id bigint NOT NULL
);
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
    attempts text COLLATE pg_catalog."C",
    known text COLLATE pg_catalog."C",
    is_excused boolean,
    causes text COLLATE pg_catalog."C",
    output text COLLATE pg_catalog."C",
    owner text COLLATE pg_catalog."C",
    paused bigint
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
    ancestors text COLLATE pg_catalog."C",
    author text COLLATE pg_catalog."C",
    selection text COLLATE pg_catalog."C",
    collected bigint,
    deselected bigint,
    changes text COLLATE pg_catalog."C",
    speed double precision,
    session_ended bigint,
    unexplained_exit bigint,
    ending text COLLATE pg_catalog."C",
    not_run bigint
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
CREATE TABLE public.searched (
    id bigint NOT NULL,
    source_id bigint NOT NULL,
    case_id bigint,
    fingerprint bigint,
    text text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE public.searched_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.searched_id_seq OWNED BY public.searched.id;
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
    version integer NOT NULL,
    application text NOT NULL COLLATE pg_catalog."C",
    release text NOT NULL COLLATE pg_catalog."C",
    step integer,
    reached bigint NOT NULL
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
    collection text COLLATE pg_catalog."C",
    session_ended bigint,
    unexplained_exit bigint,
    ending text COLLATE pg_catalog."C",
    not_run bigint
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
ALTER TABLE ONLY public.searched ALTER COLUMN id SET DEFAULT nextval('public.searched_id_seq'::regclass);
ALTER TABLE ONLY public.source ALTER COLUMN id SET DEFAULT nextval('public.source_id_seq'::regclass);
ALTER TABLE ONLY public.thread ALTER COLUMN id SET DEFAULT nextval('public.thread_id_seq'::regclass);
INSERT INTO public.applied_request VALUES ('0039b4df19db9d12fa75139ff49a2b19631e9f0594f21f1aad45532be8cc368f', 'd15b3d747e1de75c60c246abf7d32509ffded2649e1fc48de440edc715652163', 1, 1796309102579263);
INSERT INTO public.applied_request VALUES ('953f21226063403be79954c083e55938b838c33e9f9e52f3e1b0c72ff595e393', 'e80ea75fef746eb90447593f0862a599fdae6bef1a8323116832a4c86bfe04c9', NULL, 1796309102625222);
INSERT INTO public.applied_request VALUES ('9ed7d5946b17fbdfc97f5f267db383b31beb35a0ef9af6ee1075d04aca8828c4', 'd2bd1e93e2931eaaaa58d54cffd1d193563408a178014e9d2a226077e1266349', 1, 1796309102629709);
INSERT INTO public.applied_request VALUES ('b1142c8ef820fd43334f2de8e2a82465677bcbcd3ac4c92f9fc67c012d34b329', '204eb550b426e5199e601a47055245137d8e51685702842f4ceef61b2d0e0efc', NULL, 1796309102647561);
INSERT INTO public.applied_request VALUES ('2153a9e6244c5ffbf0c0be3b3b2b79d36c8b3423dbd31dac38f37f7fba232631', '1591e252a328f8e184db761c083875801e8efb0f52dd44068c6071aab9af7846', NULL, 1796309102662101);
INSERT INTO public.applied_request VALUES ('1c06ab0d637556ba16951e3a0254e80491626c544fc02efde49bcc02ef1c4e0e', '346bbe50180713e624486a52985478d76af631c6f0c4f0100ec311b4c7b760ab', NULL, 1796309102667496);
INSERT INTO public.applied_request VALUES ('364b7da28c9efdadc1326a89f0051bd91b0a8578dedab0028bb392a9ea6223f4', '70b9b7a59f4d4163113209423f4f32ce04af6344d9348050783c87914dde4465', 2, 1796309102931993);
INSERT INTO public.applied_request VALUES ('5de4fc4a67807822da6e9a832321f193e722a543ed1349c7e139e316c5f72378', 'cd82abd5b13370a50565cc1f71fd470463e6e21d26fad50ac37b0a39a1b455b9', NULL, 1796309102942526);
INSERT INTO public.applied_request VALUES ('83d006cba542da1b04c39aca2d883939cee62865f1d4f744bd015bdfbba92b96', 'cbdf55ccacac75083b8b71acf0eab35497ac1a653da41f86f99bc5dbb9415aa5', 2, 1796309102941376);
INSERT INTO public.applied_request VALUES ('e666056c72712eb461a5951bfff480af1018776a8604d9e2374438a491c45092', '51da9db7601e029a91a2cf563ef75d04b9de988f9a6c049a70b8e2b7b7466380', NULL, 1796309102960511);
INSERT INTO public.applied_request VALUES ('ef37308b1ec3a9669a64063a8466114b6dba53c1059d1eb02517b0e928d8a364', '7732f4561724b1f5f341d201d4c02eec7501ffd3521ea24b8f9a2ecfe7a140ee', NULL, 1796309102969222);
INSERT INTO public.applied_request VALUES ('516fa1d8eb50eac38f545dd628fce6e23960434a591ed5a6f6b4ae8a6569ee7c', '15b1a8dde2b139d33975a7730aab204cd8fcc116eb165bb844ec20b2cb538608', NULL, 1796309102980391);
INSERT INTO public.applied_request VALUES ('d29340a249337e7652794eec88830a07b3fb520c37f25ce95880d81735fe4115', 'b3ef29ec92419916f3d720862d4679d46ee60df7bcae0926a3e01ccba9618880', 4, 1796309104326298);
INSERT INTO public.applied_request VALUES ('e904cc8f459af3ebacee41da99a234f3e58465e9d57742f59d7bc9b364ae85d0', '961a9f4f9babafaf8a5df55606f08a45caed87e538237f1b0982eadbe90f20a6', NULL, 1796309104352469);
INSERT INTO public.applied_request VALUES ('d69b40dba8dfa1da5dd3738443f7e58e92a5cfa44e489cec05e2ca41e68cf418', '8a686706d0204d55e8b041f3e2d5c4a6e86931631d2793e4ca56d0bf862cb8b9', 3, 1796309104350453);
INSERT INTO public.applied_request VALUES ('f1558814e3a3740b39ab53fde6a02db4a894faef1993ca64f77c8a8d6d7f906c', '5eb9368ca00642d67817fc91e739e697ff47d247680a5044cc3a1ba3df386834', NULL, 1796309104372573);
INSERT INTO public.applied_request VALUES ('8c18175842c6736bfdea5c3e461cd15031d29bc0cca19a3c637a56f6c648c1a4', '90caa7409de51b8259bf08ac81c1370b69569244e4ac9568068abf729c2da5ba', NULL, 1796309104385102);
INSERT INTO public.applied_request VALUES ('9df761ae488bb755bb40e4470d30edd95395d64cd8351ce84d348720ca94d545', '971a0a78129861f44ccfc2db2708e749df194444a72315b8051d3a78d7fd5fbe', NULL, 1796309104395646);
INSERT INTO public.applied_request VALUES ('8d93e11052052f02e02b8d93b9b94ef013a893178a4c6041e94e712647ebb352', '7623389e7a2d83bd9f4b7f71c6124f58c47136c4eff89d7bf105bcd46ecb7967', 5, 1796309105519381);
INSERT INTO public.applied_request VALUES ('6f74832edb48dc5fa58cce8fc86093518348a7b22379b3f7ee0f2d4eb89c86e7', '8a3f3b2a18ed02b7cfa8481eb7514d4eea8e3e628a8710b00d5ac1722cc96132', 4, 1796309105683320);
INSERT INTO public.applied_request VALUES ('098191ae37379d94ca788ea8b6866a2cc213e3224cac449464886bcadcd88bfe', '70723ad79756fa8bc20516903a947e2bab89a428e406de2f0d39b28ebf89dd49', NULL, 1796309105715133);
INSERT INTO public.applied_request VALUES ('8366d6303e8c6ca2b01beb33b3fe2530be4789916c48a0e3d813de2f4d5abfa8', 'f5463a7deecff51ddcad279174a60ceb19990dc1e0fea1c4df97af2ea6fa4243', 5, 1796309105710660);
INSERT INTO public.applied_request VALUES ('9f36a91306c00dba90d9c65e9f65d2f9a04d48c077bbeccca8dd0192897eceb7', 'd5166d84d955dab44e60cc692f867439c45916186ae07c9ba8bef0b250d28471', NULL, 1796309105727569);
INSERT INTO public.applied_request VALUES ('da190f0c86eddc4e98ce8d46885f80ad5b811cf346a6c9b57f37374ea94f7ad3', '54971d05db32664df09cb31c1eab27432923332a35d3101eb3b13824f700a05d', NULL, 1796309105752103);
INSERT INTO public.applied_request VALUES ('32318ac727998c942a42106167017afa913c048cd95e9b6b1a5eb637c5f50edb', '2fdaf7c74dff6abcd7fb33150bbb621376d962be0cabe86811532629872875a1', NULL, 1796309105771114);
INSERT INTO public.applied_request VALUES ('6c4ed8bcf3371e668a4f21544e1f3cdf7c05a3561433e4c389d0010af94c0901', '48217069377061bd7cea9cabd617f3b4e5aff66e80aea9590e1db153d8b141ef', NULL, 1796309105933235);
INSERT INTO public.applied_request VALUES ('9509da950de894db0298d4c6fe3d83bcc84864865ec15123cb5b309a26971405', 'e5ecd76877e42ac27dcd89e045f772bdeec7458bff0e61479942083b3ae2db9d', NULL, 1796309105948266);
INSERT INTO public.applied_request VALUES ('666debd959d32c93aa2f3771d029ce559db71fe50232163008efdf8bf9be6995', '9a0cf4fc1e7f2bab03d27fb07d708e02f1772eff9e8243ade5ffd585dade8b7e', 6, 1796309106570038);
INSERT INTO public.applied_request VALUES ('a6b63c819e4cb1e324d34132b5ab0958e262e0af402e11b648eeda7cb3af4d9c', '2bb348487ea49010a0b107b6f875018af7af983d2300859f3fcb506605b70bc0', NULL, 1796309106596966);
INSERT INTO public.applied_request VALUES ('95636cb3f7485e5956f305d52762a21c683564a2c5f022ac6f5dd295ee5c2d30', 'bca7286ad6b4340642e55f116efee6c0151d8dec71683f635229406d3ad1337e', 6, 1796309106598149);
INSERT INTO public.applied_request VALUES ('c3f990d8264fd5292ada1a78ae956a4c3459095ed7d50bb81575b82176d29a58', 'fd27f54d9d08e52b80a90e1a55d20dd6cc0e033a680b040a6d27058540c979c6', NULL, 1796309106617277);
INSERT INTO public.applied_request VALUES ('ce8e3331ae5c3df2eac91eae100bcb846ebbf5101c7212913409b5bb5f53c083', '8e6b1bc96132770ad12a2c013b72f7cb597b1c3bdf9b1f87efc56eaa77929422', NULL, 1796309106649293);
INSERT INTO public.applied_request VALUES ('77cc54ef8885b96b3f743f5c1d76a68cd500d41bf7c9794ea927b155f12c17ed', '2e11346bcc76cc96043568c06392413b890a5b9314a7a91157fe5b6fca9955c8', NULL, 1796309106656681);
INSERT INTO public.applied_request VALUES ('e8c97e86905ae858189680e97602e9ec9cfe7d27d6499ebec784a9ade3e6728e', '0044a04d3374416576cd4c538845e922eff43acbe33738c5a17a68afad65d08f', 7, 1796309107547549);
INSERT INTO public.applied_request VALUES ('713385457d8b91591428e71a5ceae93eb70e726b7c5ab2bcaad2454811b4dc4f', '7a1d19344eeb0f3ac29af5967e49457f0d295bf19151879eb34aaf2e9d1c165b', 7, 1796309107710605);
INSERT INTO public.applied_request VALUES ('ba4720f4daf3d90a91573929dc41e9546eb3be281b31bc42083fa6bcb3c36f58', '64770c8cb5f52928736b0155bd9c375ab0cfc26a1d889b434ed50fc366b419c3', NULL, 1796309107720088);
INSERT INTO public.applied_request VALUES ('c83f520d39c3f6ab70dbba438b9a5cbd1713c44e5511c5683e7abb65b3e2a835', 'ba197750edf77c2362cac195c396ec45c7a90994f4c87efd0069227da999e43a', NULL, 1796309107732757);
INSERT INTO public.applied_request VALUES ('c821926952efee2af6e0382541c69a2adb3a96ea3f2f5f16460869f8d5b1c91a', '20df9d12541ad98b7c78047c0b71952964f9e185b23accf23dcdc5cb61d9a6e6', NULL, 1796309107739966);
INSERT INTO public.applied_request VALUES ('3185d43c51d229a6f6cdafca315b3b086af5c139f3980b63c1bd310eae23d164', '4aee4f5d5e4bb6f67fe00600c3ed00ec69b430dd953e4aa59dc5a76eae989415', 8, 1796309108692398);
INSERT INTO public.applied_request VALUES ('419b3cfd035647c9398d48e0ac9effff2f004269e24fdca3a766673fdfccf2a4', 'ca243e16af68514f0c4bfa367addf047b8c1da1bf06e2390f2af8f04b30eb751', NULL, 1796309108704677);
INSERT INTO public.applied_request VALUES ('451531b99037b78f63536d1da8228295b1ab70455b36139da0daae3961a84b41', '2846b6fe394a644e40a5d7b3d006036fc762d829bbb66be648b98c8b6e8b4779', NULL, 1796309108717382);
INSERT INTO public.applied_request VALUES ('52864f738893f9279f726aa40d8b22d2b80378ffb8cd9332365418b117817b61', '9319618be18461e65bf1fe2270e0139c09cec75039062f23b8c11fb7240ce7a6', NULL, 1796309108728135);
INSERT INTO public.attachment VALUES (17, 4, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T144504-42398f77"}');
INSERT INTO public.attachment VALUES (18, 4, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (19, 4, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (20, 4, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (21, 4, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (22, 4, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (7, 2, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T144502-ea239739"}');
INSERT INTO public.attachment VALUES (8, 2, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (9, 2, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (10, 2, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (11, 2, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (12, 2, 2, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (13, 3, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (14, 3, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (15, 3, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (16, 3, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (23, 4, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (24, 4, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (25, 4, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (26, 4, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (27, 4, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (28, 4, 3, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (29, 5, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T144504-0f48aef9"}');
INSERT INTO public.attachment VALUES (30, 5, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (31, 5, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (32, 5, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (33, 5, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (34, 5, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (35, 5, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (36, 5, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (37, 5, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (38, 5, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (39, 5, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (40, 5, 4, 'fields', '{"type":1,"name":"Worker","value":"gw0"}');
INSERT INTO public.attachment VALUES (41, 5, 5, 'fields', '{"type":1,"name":"Worker","value":"gw1"}');
INSERT INTO public.attachment VALUES (42, 6, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T144506-b446d802"}');
INSERT INTO public.attachment VALUES (43, 6, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (44, 6, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (45, 6, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (46, 6, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (54, 7, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (47, 6, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (48, 6, NULL, 'fields', '{"type":1,"name":"Branch","value":"feat/login"}');
INSERT INTO public.attachment VALUES (49, 6, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (50, 6, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (51, 6, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (52, 6, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (53, 6, 6, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (55, 7, NULL, 'fields', '{"type":1,"name":"Commit","value":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d"}');
INSERT INTO public.attachment VALUES (56, 7, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (57, 7, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (58, 7, 7, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (59, 7, 7, 'fields', '{"type":1,"name":"Job","value":"test 1/2"}');
INSERT INTO public.attachment VALUES (60, 7, 7, 'fields', '{"type":1,"name":"Shard","value":"1/2"}');
INSERT INTO public.attachment VALUES (61, 7, 8, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (62, 7, 8, 'fields', '{"type":1,"name":"Job","value":"test 2/2"}');
INSERT INTO public.attachment VALUES (63, 7, 8, 'fields', '{"type":1,"name":"Shard","value":"2/2"}');
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
INSERT INTO public.content VALUES (1, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b', 9, 'text/plain; charset=utf-8', 1796309108674423);
INSERT INTO public.content_owner VALUES (1, 1);
INSERT INTO public.content_part VALUES (1, 0, '\x612070696374757265');
INSERT INTO public.content_use VALUES (4, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (5, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (6, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (7, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.milestone VALUES (1, 1, 'May');
INSERT INTO public.moment VALUES ('prune', 1796309103784627);
INSERT INTO public.project VALUES (2, 1796309102581211);
INSERT INTO public.project VALUES (1, 1796309104327033);
INSERT INTO public.removed_run VALUES (1, 1);
INSERT INTO public.result VALUES (5, 4, 3, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 506, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309104372966, NULL, NULL, NULL, NULL, 22809, 244, 80, '[{"name":"fill the cart","status":"passed","elapsed":20,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (6, 4, 3, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 458, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309104372966, NULL, NULL, NULL, NULL, 23898, 249, 61, '[{"name":"fill the cart","status":"passed","elapsed":21,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (3, 2, 2, 1, 'opens', 'web.Login', 2, false, 2, 500000, NULL, NULL, NULL, '[{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796309102960937, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (4, 2, 2, 2, 'refuses', 'web.Login', 3, false, 3, 250000, NULL, NULL, NULL, '[{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796309102960937, NULL, 'call', 'no 403', -3176073724496792933, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"at login.js","message":"no 403"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (7, 4, 3, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 318, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309104372966, NULL, NULL, NULL, NULL, 24760, 143, 52, '[{"name":"fill the cart","status":"passed","elapsed":16,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (8, 4, 3, 4, 'test_discount', 'test_shop', 2, false, 2, 558, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796309104372966, NULL, NULL, NULL, NULL, 25420, 37, 46, '[{"name":"pay","status":"passed","elapsed":3}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (9, 4, 3, 11, 'test_price', 'test_shop', 2, false, 2, 187, 'test_shop.py', 27, NULL, NULL, NULL, 1796309104372966, NULL, NULL, NULL, NULL, 26301, 38, 39, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (10, 4, 3, 12, 'test_known', 'test_shop', 2, false, 2, 109, 'test_shop.py', 32, NULL, NULL, NULL, 1796309104372966, NULL, NULL, NULL, NULL, 26737, 35, 34, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (11, 4, 3, 6, 'test_flaky', 'test_shop', 2, false, 2, 146, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796309104372966, NULL, NULL, NULL, NULL, 27127, 33, 39, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (12, 4, 3, 8, 'test_skipped', 'test_shop', 6, false, 1, 103, 'test_shop.py', 43, NULL, NULL, NULL, 1796309104372966, NULL, NULL, NULL, NULL, 27561, 56, 46, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmp884ag9jo/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (13, 4, 3, 3, 'test_xfailed', 'test_shop', 6, false, 1, 256, 'test_shop.py', 48, NULL, NULL, NULL, 1796309104372966, NULL, NULL, NULL, NULL, 28175, 54, 111, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (14, 4, 3, 9, 'test_setup', 'test_shop', 2, false, 2, 198, 'test_shop.py', 59, NULL, NULL, NULL, 1796309104372966, NULL, NULL, NULL, NULL, 48592, 98, 51, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (15, 5, 4, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 841, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309105719454, NULL, NULL, NULL, NULL, 523208, 413, 122, '[{"name":"fill the cart","status":"passed","elapsed":26,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (16, 5, 4, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 638, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309105719454, NULL, NULL, NULL, NULL, 527036, 272, 144, '[{"name":"fill the cart","status":"passed","elapsed":36,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (17, 5, 4, 11, 'test_price', 'test_shop', 3, false, 3, 578, 'test_shop.py', 27, NULL, NULL, NULL, 1796309105719454, NULL, 'call', 'AssertionError: the price is wrong', 4427712805416795316, 529222, 59, 107, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"}]', '{"Output":"the price is 7\n"}', NULL, NULL);
INSERT INTO public.result VALUES (18, 5, 4, 6, 'test_flaky', 'test_shop', 2, false, 2, 248, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"2"}]', NULL, 1796309105719454, 1, NULL, NULL, NULL, 549723, 85, 50, NULL, NULL, NULL, '[{"number":1,"status":"failure","elapsed":287,"causes":[{"kind":"failure","name":"Failure","text":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError","message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call"}],"fields":[{"name":"try","value":"1","type":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (19, 5, 4, 8, 'test_skipped', 'test_shop', 6, false, 1, 124, 'test_shop.py', 43, NULL, NULL, NULL, 1796309105719454, NULL, NULL, NULL, NULL, 554589, 66, 58, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmp884ag9jo/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (20, 5, 4, 3, 'test_xfailed', 'test_shop', 6, false, 1, 200, 'test_shop.py', 48, NULL, NULL, NULL, 1796309105719454, NULL, NULL, NULL, NULL, 555817, 60, 65, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (21, 5, 4, 9, 'test_setup', 'test_shop', 3, false, 3, 201, 'test_shop.py', 59, NULL, NULL, NULL, 1796309105719454, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 558391, 126, 74, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"error","name":"Error","text":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (22, 5, 5, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 571, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309105731175, NULL, NULL, NULL, NULL, 524734, 268, 83, '[{"name":"fill the cart","status":"passed","elapsed":23,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (25, 6, 6, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 687, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309106617648, NULL, NULL, NULL, NULL, 12908, 242, 97, '[{"name":"fill the cart","status":"passed","elapsed":20,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (26, 6, 6, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 473, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309106617648, NULL, NULL, NULL, NULL, 14233, 271, 61, '[{"name":"fill the cart","status":"passed","elapsed":21,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (27, 6, 6, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 316, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309106617648, NULL, NULL, NULL, NULL, 15112, 142, 53, '[{"name":"fill the cart","status":"passed","elapsed":16,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (23, 5, 5, 4, 'test_discount', 'test_shop', 3, false, 3, 1115, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796309105731175, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 526994, 66, 124, '[{"name":"pay","status":"failed","elapsed":288}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (24, 5, 5, 12, 'test_known', 'test_shop', 3, false, 3, 296, 'test_shop.py', 32, NULL, NULL, NULL, 1796309105731175, NULL, 'call', 'AssertionError: the bank is closed', -3303494338680275494, 565853, 95, 79, NULL, NULL, NULL, NULL, '{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"}', true, '[{"kind":"failure","name":"Failure","text":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (35, 7, 7, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 1362, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309107720405, NULL, NULL, NULL, NULL, 350672, 336, 663, '[{"name":"fill the cart","status":"passed","elapsed":28,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (36, 7, 7, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 500, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309107720405, NULL, NULL, NULL, NULL, 353947, 223, 97, '[{"name":"fill the cart","status":"passed","elapsed":24,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (37, 7, 7, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 2609, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796309107720405, NULL, NULL, NULL, NULL, 355423, 194, 2257, '[{"name":"fill the cart","status":"passed","elapsed":20,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (38, 7, 7, 8, 'test_skipped', 'test_shop', 6, false, 1, 125, 'test_shop.py', 43, NULL, NULL, NULL, 1796309107720405, NULL, NULL, NULL, NULL, 358523, 64, 60, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmp884ag9jo/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (39, 7, 7, 3, 'test_xfailed', 'test_shop', 6, false, 1, 291, 'test_shop.py', 48, NULL, NULL, NULL, 1796309107720405, NULL, NULL, NULL, NULL, 359440, 57, 138, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (40, 7, 8, 4, 'test_discount', 'test_shop', 2, false, 2, 1108, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796309108704944, NULL, NULL, NULL, NULL, 361665, 137, 83, '[{"name":"pay","status":"passed","elapsed":6}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (41, 7, 8, 11, 'test_price', 'test_shop', 2, false, 2, 277, 'test_shop.py', 27, NULL, NULL, NULL, 1796309108704944, NULL, NULL, NULL, NULL, 363533, 62, 69, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (42, 7, 8, 12, 'test_known', 'test_shop', 2, false, 2, 187, 'test_shop.py', 32, NULL, NULL, NULL, 1796309108704944, NULL, NULL, NULL, NULL, 366683, 67, 59, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (43, 7, 8, 6, 'test_flaky', 'test_shop', 2, false, 2, 214, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796309108704944, NULL, NULL, NULL, NULL, 367373, 44, 47, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (44, 7, 8, 9, 'test_setup', 'test_shop', 2, false, 2, 298, 'test_shop.py', 59, NULL, NULL, NULL, 1796309108704944, NULL, NULL, NULL, NULL, 368012, 122, 72, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (28, 6, 6, 4, 'test_discount', 'test_shop', 3, false, 3, 898, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796309106617648, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 15778, 38, 74, '[{"name":"pay","status":"failed","elapsed":275}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (29, 6, 6, 11, 'test_price', 'test_shop', 3, false, 3, 416, 'test_shop.py', 27, NULL, NULL, NULL, 1796309106617648, NULL, 'call', 'AssertionError: the price is wrong', 4427712805416795316, 30384, 47, 62, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"}]', '{"Output":"the price is 7\n"}', NULL, NULL);
INSERT INTO public.result VALUES (30, 6, 6, 12, 'test_known', 'test_shop', 3, false, 3, 191, 'test_shop.py', 32, NULL, NULL, NULL, 1796309106617648, NULL, 'call', 'AssertionError: the bank is closed', -3303494338680275494, 32407, 45, 64, NULL, NULL, NULL, NULL, '{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"}', true, '[{"kind":"failure","name":"Failure","text":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (31, 6, 6, 6, 'test_flaky', 'test_shop', 2, false, 2, 311, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"2"}]', NULL, 1796309106617648, 1, NULL, NULL, NULL, 34269, 42, 70, NULL, NULL, NULL, '[{"number":1,"status":"failure","elapsed":211,"causes":[{"kind":"failure","name":"Failure","text":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError","message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call"}],"fields":[{"name":"try","value":"1","type":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (32, 6, 6, 8, 'test_skipped', 'test_shop', 6, false, 1, 132, 'test_shop.py', 43, NULL, NULL, NULL, 1796309106617648, NULL, NULL, NULL, NULL, 50704, 69, 61, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmp884ag9jo/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (33, 6, 6, 3, 'test_xfailed', 'test_shop', 6, false, 1, 215, 'test_shop.py', 48, NULL, NULL, NULL, 1796309106617648, NULL, NULL, NULL, NULL, 51413, 59, 66, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL, NULL);
INSERT INTO public.result VALUES (34, 6, 6, 9, 'test_setup', 'test_shop', 3, false, 3, 242, 'test_shop.py', 59, NULL, NULL, NULL, 1796309106617648, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 53222, 121, 120, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"error","name":"Error","text":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"}]', NULL, NULL, NULL);
INSERT INTO public.run VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-03 14:45:06', NULL, NULL, '[]', 3, true, 66054, 1, 0, 1796309106570677, 1796309106656992, 1796309106656992, 'feat/login', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, 'c782bdca3b', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796309106475546, NULL, '{"state":"ended","status":1}', NULL);
INSERT INTO public.run VALUES (4, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop 2026-12-03 14:45:04', 1, 1, '["nightly","linux"]', 2, true, 49822, 1, 0, 1796309104327033, 1796309104395924, 1796309104395924, 'main', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, 'c782bdca3b', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796309104256685, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.run VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 'login', NULL, NULL, '[]', 3, true, 750000, 1, 0, 1796309102932626, 1796309102980758, 1796309102980758, 'main', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, 'c782bdca3b', 'ann@example.com', NULL, NULL, NULL, NULL, 1, NULL, NULL, '{"state":"other","text":"2 results submitted from 1 file"}', NULL);
INSERT INTO public.run VALUES (3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 'still open', NULL, NULL, '["later"]', 4, false, NULL, 0, 0, 1796309103235110, NULL, NULL, 'main', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, NULL, 'ann@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run VALUES (5, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-03 14:45:04', 1, 1, '[]', 3, true, 965372, 2, 0, 1796309105545836, 1796309105948505, 1796309105948505, 'main', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, 'c782bdca3b', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796309105907787, NULL, '{"state":"ended","status":1}', NULL);
INSERT INTO public.run VALUES (7, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop pipeline-7', NULL, NULL, '["run-key-pipeline-7-b629a22b0c"]', 2, true, 1350086, 2, 0, 1796309107547789, 1796309109367867, 1796309109367867, 'main', 'c782bdca3ba60c9c98e45a357c4ea9858ef3171d', NULL, 'c782bdca3b', 'ann@example.com', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.run_document VALUES (4, 'findings', 14, '{"version":14,"run":4,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0,"fixtures":0,"fixture":"","blocked":0},"mine":{"new":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":0,"back":0,"unlisted_failures":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"stops":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":49822,"before":22809,"tests":2839,"between":23142,"waiting":0,"after":1032,"balanced":2839,"workers":[{"started":22809,"ended":48790,"tests":2839}]}}');
INSERT INTO public.run_document VALUES (4, 'summary', 14, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":0,"back":0,"unlisted_failures":0},"not_run":0,"reasons":0}');
INSERT INTO public.run_document VALUES (4, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (2, 'findings', 14, '{"version":14,"run":2,"base":{"why":"same branch","branch":"main","run":1,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309102581211},"gate":{"base":1,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"ran":{"finished":2,"failed":1,"passed":1,"skipped":0,"collected":null,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0,"fixtures":0,"fixture":"","blocked":0},"mine":{"new":0,"flaky":0,"still":1,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":1,"back":0,"unlisted_failures":0},"tests":{"newly_failing":[],"still_failing":[{"key":"f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591","folder":"web.Login","name":"refuses","result":4,"status":"failed","since":{"run":1,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":null,"changes":null,"at":1796309102581211},"kind":"still","same_reason":null,"known":null,"fingerprint":"d3ec51c66eeab29b"}],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"no 403","masked":"no <number>","phase":"call","place":null,"fixture":null,"messages":1,"keys":["f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591"],"fingerprint":"d3ec51c66eeab29b","count":1,"kind":"still","mine":{"still":1},"same_reason":null,"first":{"run":1,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309102581211},"since":{"run":1,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":null,"changes":null,"at":1796309102581211}}],"stops":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":759419,"before":9419,"tests":750000,"between":0,"waiting":0,"after":0,"balanced":750000,"workers":[{"started":9419,"ended":759419,"tests":750000}]}}');
INSERT INTO public.run_document VALUES (2, 'summary', 14, '{"base":1,"gate":{"base":1,"branch":null,"failures":0},"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"mine":{"new":0,"flaky":0,"still":1,"known":0},"counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":1,"back":0,"unlisted_failures":0},"not_run":0,"reasons":1}');
INSERT INTO public.run_document VALUES (2, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (5, 'findings', 14, '{"version":14,"run":5,"base":{"why":"same branch","branch":"main","run":4,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309104327033},"gate":{"base":4,"branch":null,"failures":3},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0,"fixtures":0,"fixture":"","blocked":0},"mine":{"new":3,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0,"reasons":4,"back":0,"unlisted_failures":0},"tests":{"newly_failing":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":23,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836},"kind":"new","same_reason":null,"known":null,"fingerprint":"f3cca88b05ad6983"},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":24,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836},"kind":"known","same_reason":null,"known":{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"},"fingerprint":"d227a166d172bdda"},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":17,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836},"kind":"new","same_reason":null,"known":null,"fingerprint":"3d7265566650fcb4"},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":21,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836},"kind":"new","same_reason":null,"known":null,"fingerprint":"e3077ccf0a8b7ee9"}],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","fixture":null,"messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836}},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836}},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"3d7265566650fcb4","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836}},{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"d227a166d172bdda","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796309105545836}}],"stops":[],"flaky":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":23,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":18,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":21,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":17,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":24,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false}],"slower":[],"faster":[],"time":{"wall":965372,"before":1047942,"tests":4812,"between":71987,"waiting":7557,"after":798446,"balanced":2437,"workers":[{"started":523208,"ended":558592,"tests":2830},{"started":524734,"ended":566149,"tests":1982}]}}');
INSERT INTO public.run_document VALUES (5, 'summary', 14, '{"base":4,"gate":{"base":4,"branch":null,"failures":3},"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":3,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0,"reasons":4,"back":0,"unlisted_failures":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (5, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (6, 'findings', 14, '{"version":14,"run":6,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0,"fixtures":0,"fixture":"","blocked":0},"mine":{"new":0,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0,"reasons":4,"back":0,"unlisted_failures":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"d227a166d172bdda","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":{"run":6,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309106570677}},{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","fixture":null,"messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":null},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":null},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","fixture":null,"messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"3d7265566650fcb4","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"c782bdca3ba60c9c98e45a357c4ea9858ef3171d","author":"ann@example.com","changes":null,"at":1796309105545836},"since":null}],"stops":[],"flaky":[{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":31,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":1,"low":0.2065,"high":1.0,"is_known":false}],"slower":[],"faster":[],"time":{"wall":66054,"before":12908,"tests":3881,"between":36675,"waiting":0,"after":12590,"balanced":3881,"workers":[{"started":12908,"ended":53464,"tests":3881}]}}');
INSERT INTO public.run_document VALUES (6, 'summary', 14, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":0,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0,"reasons":4,"back":0,"unlisted_failures":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (6, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (7, 'cut', 1, '{"runs":[5,4],"failed":[11,9,4,12],"durations":{"5":674,"10":548,"11":382,"6":197,"8":114,"3":228,"9":200,"7":444,"4":836,"12":202}}');
INSERT INTO public.run_document VALUES (7, 'findings', 14, '{"version":14,"run":7,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":{"tests":10,"cases":10,"of_jobs":2,"missing":0,"twice":0,"jobs":[]},"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0,"fixtures":0,"fixture":"","blocked":0},"mine":{"new":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":0,"back":0,"unlisted_failures":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"stops":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":1350086,"before":1688289,"tests":6971,"between":8733,"waiting":984531,"after":11648,"balanced":3537,"workers":[{"started":350672,"ended":359731,"tests":4887},{"started":1337617,"ended":1344262,"tests":2084}]}}');
INSERT INTO public.run_document VALUES (7, 'summary', 14, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0,"reasons":0,"back":0,"unlisted_failures":0},"not_run":0,"reasons":0}');
INSERT INTO public.run_document VALUES (7, 'searched', 1, '{}');
INSERT INTO public.run_tag VALUES (3, 'later');
INSERT INTO public.run_tag VALUES (4, 'nightly');
INSERT INTO public.run_tag VALUES (4, 'linux');
INSERT INTO public.run_tag VALUES (7, 'run-key-pipeline-7-b629a22b0c');
INSERT INTO public.searched VALUES (1, 1, 1, NULL, 'opens web.Login ');
INSERT INTO public.searched VALUES (2, 1, 2, NULL, 'refuses web.Login ');
INSERT INTO public.searched VALUES (3, 1, NULL, -3176073724496792933, 'no 403');
INSERT INTO public.searched VALUES (5, 2, 5, NULL, 'test_cart[0] test_shop test_shop.py');
INSERT INTO public.searched VALUES (6, 2, 10, NULL, 'test_cart[1] test_shop test_shop.py');
INSERT INTO public.searched VALUES (7, 2, 7, NULL, 'test_cart[2] test_shop test_shop.py');
INSERT INTO public.searched VALUES (8, 2, 4, NULL, 'test_discount test_shop test_shop.py');
INSERT INTO public.searched VALUES (9, 2, 11, NULL, 'test_price test_shop test_shop.py');
INSERT INTO public.searched VALUES (10, 2, 12, NULL, 'test_known test_shop test_shop.py');
INSERT INTO public.searched VALUES (11, 2, 6, NULL, 'test_flaky test_shop test_shop.py');
INSERT INTO public.searched VALUES (12, 2, 8, NULL, 'test_skipped test_shop test_shop.py');
INSERT INTO public.searched VALUES (13, 2, 3, NULL, 'test_xfailed test_shop test_shop.py');
INSERT INTO public.searched VALUES (14, 2, 9, NULL, 'test_setup test_shop test_shop.py');
INSERT INTO public.searched VALUES (15, 2, NULL, -3303494338680275494, 'AssertionError: the bank is closed');
INSERT INTO public.searched VALUES (16, 2, NULL, -2087562673585946903, 'RuntimeError: the database is away');
INSERT INTO public.searched VALUES (17, 2, NULL, -879142512194918013, 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}');
INSERT INTO public.searched VALUES (18, 2, NULL, 4427712805416795316, 'AssertionError: the price is wrong');
INSERT INTO public.secret VALUES ('pages', 'osrOuaVikKd9_fUdwihApazZcYGQrjhudO6sIhKegWM');
INSERT INTO public.source VALUES (1, 2, 'web', 1796309102581211, NULL);
INSERT INTO public.source VALUES (2, 1, 'shop', 1796309104327033, NULL);
INSERT INTO public.store_version VALUES (12, 'automation-report', '0.1.0', NULL, 0);
INSERT INTO public.thread VALUES (3, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 4, 1, 2, true, 27000, 2839, 1796309104350901, 1796309104385616, 1796309104206863, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 3, true, NULL, 750000, 1796309102942045, 1796309102969623, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (4, 0, 3, 2, 0, 0, 2, 3, 2, 7, 7, 5, 1, 3, true, 37656, 2830, 1796309105695358, 1796309105753014, 1796309104942415, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (5, 0, 1, 2, 0, 0, 0, 1, 2, 3, 3, 5, 2, 3, true, 43621, 1982, 1796309105710900, 1796309105771523, 1796309104942415, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 6, 1, 3, true, 53116, 3881, 1796309106598605, 1796309106649936, 1796309106409492, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (7, 0, 3, 0, 0, 0, 2, 3, 0, 5, 5, 7, 1, 2, true, 33586, 4887, 1796309107710855, 1796309107740168, 1796309107298747, NULL, 'test 1/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":5}', 1796309107683026, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.thread VALUES (8, 0, 5, 0, 0, 0, 0, 5, 0, 5, 5, 7, 2, 2, true, 12454, 2084, 1796309108692702, 1796309108728354, 1796309108274699, NULL, 'test 2/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":5}', 1796309108648833, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.token VALUES ('ci', 'e49b3de9f0590c01b32168d20ec43b816e743fa6483c66da3675d0845045056d', 'report', 1, 1796309109684274);
INSERT INTO public.token VALUES ('reader', '6b0899826caba46a8688ca4617aad6f1010d6954842f322bcaa824d89925d3b8', 'read', NULL, 1796309110050727);
INSERT INTO public.token VALUES ('boss', 'a4d853226cf40f9092a6b6a43e25e52f165193ede5c35991a359ac598d38b338', 'admin', NULL, 1796309110453247);
SELECT pg_catalog.setval('public.attachment_id_seq', 63, true);
SELECT pg_catalog.setval('public.case_id_seq', 12, true);
SELECT pg_catalog.setval('public.config_id_seq', 1, true);
SELECT pg_catalog.setval('public.content_id_seq', 1, true);
SELECT pg_catalog.setval('public.milestone_id_seq', 1, true);
SELECT pg_catalog.setval('public.result_id_seq', 44, true);
SELECT pg_catalog.setval('public.run_id_seq', 7, true);
SELECT pg_catalog.setval('public.searched_id_seq', 22, true);
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
ALTER TABLE ONLY public.content_owner
    ADD CONSTRAINT content_owner_pkey PRIMARY KEY (content_id, project_id);
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
ALTER TABLE ONLY public.searched
    ADD CONSTRAINT searched_pkey PRIMARY KEY (id);
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
CREATE INDEX result_case_id_run_id ON public.result USING btree (case_id, run_id, id, result_class, failed_attempts, elapsed, paused);
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
CREATE UNIQUE INDEX searched_case_id ON public.searched USING btree (case_id);
CREATE UNIQUE INDEX searched_source_id ON public.searched USING btree (source_id, fingerprint, text) WHERE (case_id IS NULL);
CREATE INDEX searched_text ON public.searched USING gin (text public.gin_trgm_ops);
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
ALTER TABLE ONLY public.content_owner
    ADD CONSTRAINT content_owner_content_id_fkey FOREIGN KEY (content_id) REFERENCES public.content(id);
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
ALTER TABLE ONLY public.searched
    ADD CONSTRAINT searched_source_id_fkey FOREIGN KEY (source_id) REFERENCES public.source(id);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id);
ALTER TABLE ONLY public.thread
    ADD CONSTRAINT thread_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
