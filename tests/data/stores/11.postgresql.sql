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
    owner text COLLATE pg_catalog."C"
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
INSERT INTO public.applied_request VALUES ('32f7bdc390e0ed20128be5c627a46ac47c3a7f260bc2b5ebe98c232276a66a25', '6fadaecef019e38aa1804f927f27d667e24f8ea2282ad35bc23a3cbc8770d6e1', 1, 1796288931537766);
INSERT INTO public.applied_request VALUES ('1834a1d8ea02c6765d29a55c75c58896513045b7ea4d4bc5cffce2a06bdcfc4c', '3bb5a4437130bcc59e54a30f9173fb6eb65a23f39197fc244a237c80d657795b', 1, 1796288931547855);
INSERT INTO public.applied_request VALUES ('c7d8aa53e25725e7d797c8eed88953e0ba0e458aa1f5249e51db4cebeafb0623', 'e80ea75fef746eb90447593f0862a599fdae6bef1a8323116832a4c86bfe04c9', NULL, 1796288931553288);
INSERT INTO public.applied_request VALUES ('2231c8601a54cb677781bb0acfef26ec44001517fcda3f7a3cbb3ab9513f3f55', '204eb550b426e5199e601a47055245137d8e51685702842f4ceef61b2d0e0efc', NULL, 1796288931557417);
INSERT INTO public.applied_request VALUES ('d89bf435f20c589efe1210206202f90791f2121390a3253d38cc71f256951ac5', '1591e252a328f8e184db761c083875801e8efb0f52dd44068c6071aab9af7846', NULL, 1796288931566854);
INSERT INTO public.applied_request VALUES ('e07e4f2ecf96c6458d0f1d9422ffddef7098033b0da288b4a8253bccb1f21275', '346bbe50180713e624486a52985478d76af631c6f0c4f0100ec311b4c7b760ab', NULL, 1796288931571756);
INSERT INTO public.applied_request VALUES ('00d2b76797cef251348075aeb21e39e14668eb753e87c93bb6b0bda99d4b392c', '2828f817c0f57bcc56cc27c502808318ef063879d0e7fb90b05715341ca5c81e', 2, 1796288931747988);
INSERT INTO public.applied_request VALUES ('306d8ab215070779cd2b58dcb98e888df5988f7a95af44f78cbc96b3b8dba7fe', '8a9754016179fbcf007c8d82653037d38ba4db858e940b98f03d996258d3a0d6', 2, 1796288931755202);
INSERT INTO public.applied_request VALUES ('d027089bd8920b829a8d922328aa4e51f3f0779048a5683de75d11807cc42bf9', 'cd82abd5b13370a50565cc1f71fd470463e6e21d26fad50ac37b0a39a1b455b9', NULL, 1796288931757612);
INSERT INTO public.applied_request VALUES ('bcd9e6ce8b2ac4196920b74ce197568135a1b93268b542e1c2a36737f154549e', '51da9db7601e029a91a2cf563ef75d04b9de988f9a6c049a70b8e2b7b7466380', NULL, 1796288931762029);
INSERT INTO public.applied_request VALUES ('0a3e2959ddd10fc87546e362fbc3f301efdf63c93873af8994945f81e2aca2c6', '7732f4561724b1f5f341d201d4c02eec7501ffd3521ea24b8f9a2ecfe7a140ee', NULL, 1796288931766897);
INSERT INTO public.applied_request VALUES ('1dacd8df51be5f3336a1852fe099c10ae98f2e742ed7aebba5aea6794c8be0a6', '15b1a8dde2b139d33975a7730aab204cd8fcc116eb165bb844ec20b2cb538608', NULL, 1796288931771444);
INSERT INTO public.applied_request VALUES ('940c13b8de2f99ed31600991285ef3afc4612fde7faea9b250d193b535bee91d', '790ce3005e013dd82f5b379ec4b37d1500e4d752871e3ebe6414523ef7b9e87b', 4, 1796288932713060);
INSERT INTO public.applied_request VALUES ('6789af3beae063b8462f46e9722b66680aebe65d59a5edd6136af42716e22c84', '3555e178b645728350f9f49dfc9696b0d24360b8188a5872747c7c586c48d42d', 3, 1796288932725471);
INSERT INTO public.applied_request VALUES ('c434b5c22007ceb030bc3c2fea6c9491020fb4453263d1a303b63a48a43dbc17', 'aa0e7609e17eb13f49d2c985352bb0dd476ef7bf93108c57bd401846587ad9b3', NULL, 1796288932728396);
INSERT INTO public.applied_request VALUES ('55cc73d5a6df083d0b812507831027c33d4bd7224c7632e9574203cb5670e802', 'ed07087510c93e7b103352a8ebdea6f6e6f3175fd31f26a7504ce77c92af9cf0', NULL, 1796288932731853);
INSERT INTO public.applied_request VALUES ('cc524e125bb98dbd4fbf4c7e1c85574c2bdcdcee2c213f3e32ed3d8faa40cb4c', 'dc1a244c98c16321f0ea4bd87590b46f88ba6c34cd2259effa817d47ecb79450', NULL, 1796288932737976);
INSERT INTO public.applied_request VALUES ('2a0518275619f055f1eed82ae2f099a7397f2e74a9b790736efcf3ad6984953d', '971a0a78129861f44ccfc2db2708e749df194444a72315b8051d3a78d7fd5fbe', NULL, 1796288932741923);
INSERT INTO public.applied_request VALUES ('c2650c0ecabe8c9a52faceeaedbffff300cf8125529da4aa15a8051650cd7e79', '5e8d959cce3d797e7cfe828d757ea117f617a364cd7adbcc3651cd71eebe0ef5', 5, 1796288933303395);
INSERT INTO public.applied_request VALUES ('70024a0551a244073ffac1bc54b47acff790d5545fd1fb8682207c3247298a27', '0b64b1e265e5c91a1293e556b2a48cf4fb4762b2138ef669b59248bd05488697', NULL, 1796288933464482);
INSERT INTO public.applied_request VALUES ('83986265d7096838a7509162bcffbdfac7311b714307bf3c5b63be1079ac5223', 'd03593670982a96e5e5bb2ef24b4aeb5bab95f584fd890665d6e176e65ad271b', 4, 1796288933463127);
INSERT INTO public.applied_request VALUES ('99a56683bc70b0517ec5a40fb3a6625b7269922e1981cd0882df24fca1b5db50', '4eabb1acbdbc247dd24e5e8c667eb366e627ca5140fa4dc9b62574da5b0d55bc', NULL, 1796288933474776);
INSERT INTO public.applied_request VALUES ('cce74d06a461c07eb2a018320c0a4b1f71eb184bf059a96b76798237b2d7d664', 'e67544e3c3ad8f8a1c8072776f64a72a3d230f1abfa41795aa8e49612aac9cb6', 5, 1796288933476936);
INSERT INTO public.applied_request VALUES ('fce2daf9a3a9832d8a2c91a6591d39548457705b01bf44282d21a67aa3d8b21f', '3c9e895bf32b521c2a6bc3dbfb4b8167b27c3cbf2754149f1fb24368e1925f1d', NULL, 1796288933481118);
INSERT INTO public.applied_request VALUES ('9e6df30f39d66eeee0db90309220766ce9893fcc36fcd249d3df5d533cf87354', 'f164c93ae7ac66286c6ab76f46952f90a0844d6fd34f927f18a84fd64509f10e', NULL, 1796288933482994);
INSERT INTO public.applied_request VALUES ('46500ca3e05633a6f66449ddd1cd63673b60932b93f8ffed78c0d9b8295e922c', 'd7d637d1bc606ad20944001bed8fe2b74947b80122d5c7e34344e11464f847e9', NULL, 1796288933488368);
INSERT INTO public.applied_request VALUES ('a23095b5dc87791af0a4aa80e3926231d555a4a429d63a02e5d5837dce7f8796', 'e5ecd76877e42ac27dcd89e045f772bdeec7458bff0e61479942083b3ae2db9d', NULL, 1796288933492132);
INSERT INTO public.applied_request VALUES ('1eaca4aeea17d66eabef72f35dfdf03ed2d9caf11ad91b6eda1676084aa3a48b', '5d809bd870292133b7e415727ee27a0b7095307199553f7884bdd01145014030', 6, 1796288933912170);
INSERT INTO public.applied_request VALUES ('57d9941d80176f33738e634df3dfc94b6ce66574347f8a4adf7169dd13edc63e', '9f67f852c745d3885e714187606a573e3553e02c36e107c37db10a5962956c01', NULL, 1796288933924261);
INSERT INTO public.applied_request VALUES ('24ce4a32736af6e6fc6987c56a8f54d6dbca5e8f36e04cb25d6198c03de03f9f', 'c713e82934cee37b4e4bc0643a12c66148a7410946e7d7da2f42d0d19dc9319e', 6, 1796288933922560);
INSERT INTO public.applied_request VALUES ('4c02ceda1b8a685cb08baccbf000d232ac325ce49a8ebbee674949143a0a1dec', '6b9b1a3687e1ba7c209798371f8f52a447bc9a0f2b56c4f742bfc24b9bd54d7b', NULL, 1796288933929263);
INSERT INTO public.applied_request VALUES ('0c209459777c18478c8c4abe50b81be6590bd0af1f7be4cbfcd26736659075ac', 'fb8e03f2625c92fa8857de6c380ad1be36fd554343c9a2830a30cf387cb7354a', NULL, 1796288933935916);
INSERT INTO public.applied_request VALUES ('6406f50c095e0057664439ef5850d68074a1ebeac6c37ee563421bc5ab023b3b', '2e11346bcc76cc96043568c06392413b890a5b9314a7a91157fe5b6fca9955c8', NULL, 1796288933939587);
INSERT INTO public.applied_request VALUES ('3b004b232fbb2591ed49be80d66f0cfc577e8f4c39f778d8a6c8c7297bf3ea01', 'da9c3b86309ac6271379e10fe231f0b83902bdc7d3b7d55abe2c481499584f39', 7, 1796288934444008);
INSERT INTO public.applied_request VALUES ('65f9c7b62fbdcf4bdc52745d32c680e87454f409b9aa3255ea9ad59af26fa9a4', '9c78a02d6e01f751897fd70a6c6af1ff91c6cf355c99eaa5c51024a1eed4c4b2', 7, 1796288934535072);
INSERT INTO public.applied_request VALUES ('eae15c4abac7ec50d55be81e11c93faf484e813b78f3498b8b93701a1febb117', '36699924f2f064e7ce23a4e92b37584755a0ae4f62b7e9132fe031b45a9197d2', NULL, 1796288934541983);
INSERT INTO public.applied_request VALUES ('ee5ac462d13aee7ae14c7414d41aec41bbe7d39316835e0bc3bd16e4b7febec5', 'a8885365eb529b2ed67da78afd7dafc614b067cf056ce8905397ff8c41095156', NULL, 1796288934547474);
INSERT INTO public.applied_request VALUES ('5cd952ec2fc93a8f430928f679201523264bd54e7c27607de0293710414aadd3', '33f8cb3912b33107bcec4a1def089efec49a6448675ff80feea556a0239979a7', NULL, 1796288934551440);
INSERT INTO public.applied_request VALUES ('a800e194dd6339ba239b90488831da8fd44d471c16a5711657289a8a7f8d54e7', 'aa082a2dfc5241fb093e5550373d17249cbcaf06ee27b61b597b214b7acbf6e5', 8, 1796288935062536);
INSERT INTO public.applied_request VALUES ('6e7d1e891496d03067cfb37303b5202c513051682d4bac5842774dfb1777c49d', 'a91cfdd9ceeaa9bb5a46459a7e44723cff5ed6a40caacc53ddbd1670c64becb2', NULL, 1796288935067202);
INSERT INTO public.applied_request VALUES ('45ca45950d66db97563151b3da7e5971c95ac53aee50c8b27cb35c5443243dd9', '9ddb2cc5439c6535a3f364ce139e810fadbfbc3363cb281fcfec6dd59e0289c7', NULL, 1796288935071988);
INSERT INTO public.applied_request VALUES ('acc0ce5b2515bfcf2a47abdee53e15bc1cdcb78bdfbe240604aa8eeb0ddfb2b8', 'f364b96b68667cf29b51378526dc7befb16709268adaa09894640bfd7001c332', NULL, 1796288935075966);
INSERT INTO public.attachment VALUES (17, 4, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T090852-7d94773d"}');
INSERT INTO public.attachment VALUES (18, 4, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (19, 4, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (20, 4, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (21, 4, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (22, 4, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (7, 2, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T090851-3ead65d0"}');
INSERT INTO public.attachment VALUES (8, 2, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (9, 2, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
INSERT INTO public.attachment VALUES (10, 2, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (11, 2, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (12, 2, 2, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (13, 3, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (14, 3, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
INSERT INTO public.attachment VALUES (15, 3, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (16, 3, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (23, 4, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (24, 4, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
INSERT INTO public.attachment VALUES (25, 4, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (26, 4, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (27, 4, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (28, 4, 3, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (29, 5, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T090853-80393869"}');
INSERT INTO public.attachment VALUES (30, 5, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (31, 5, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (32, 5, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (33, 5, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (34, 5, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (35, 5, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (36, 5, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
INSERT INTO public.attachment VALUES (37, 5, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (38, 5, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (39, 5, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (40, 5, 4, 'fields', '{"type":1,"name":"Worker","value":"gw0"}');
INSERT INTO public.attachment VALUES (41, 5, 5, 'fields', '{"type":1,"name":"Worker","value":"gw1"}');
INSERT INTO public.attachment VALUES (42, 6, NULL, 'fields', '{"type":1,"name":"Session id","value":"20261203T090853-d0a70404"}');
INSERT INTO public.attachment VALUES (43, 6, NULL, 'fields', '{"type":1,"name":"Python","value":"3.11.7"}');
INSERT INTO public.attachment VALUES (44, 6, NULL, 'fields', '{"type":1,"name":"pytest","value":"9.2.0"}');
INSERT INTO public.attachment VALUES (45, 6, NULL, 'fields', '{"type":1,"name":"Plugins","value":"hypothesis 6.170.17, pytest-automation-report 0.1.0, pytest-rerunfailures 16.7, pytest-retry 1.7.0, pytest-xdist 3.8.0, time-machine 3.6.0"}');
INSERT INTO public.attachment VALUES (46, 6, NULL, 'fields', '{"type":1,"name":"OS","value":"Debian GNU/Linux 13 (trixie), Linux 6.18.44-fc-v1098 x86_64"}');
INSERT INTO public.attachment VALUES (53, 6, 6, 'fields', '{"type":1,"name":"Worker","value":"main"}');
INSERT INTO public.attachment VALUES (47, 6, NULL, 'fields', '{"type":2,"name":"Packages","value":"annotated-types 0.8.0\nantlr4-python3-runtime 4.13.2\nast-serialize 0.13.1\nattrs 26.1.0\naws-xray-sdk 2.15.0\naxe-playwright-python 0.1.8\nbandit 1.9.4\nblinker 1.9.0\nboto3 1.44.8\nbotocore 1.44.8\ncertifi 2026.10.19.post1\ncffi 2.1.1\ncfn-lint 1.58.0\ncharset-normalizer 3.5.3\nclick 8.5.1\ncoverage 7.17.5\ncryptography 50.0.2\ndeepmerge 4.0.0\ndocker 7.2.0\neditables 0.6\nexecnet 2.1.2\nfalcon 4.4.0\nflaky 3.8.1\nflask 3.1.3\nflask-cors 6.0.5\nfreezegun 1.5.5\ngraphql-core 3.3.2\ngreenlet 3.5.6\nhatchling 1.33.0\nhypothesis 6.170.17\nidna 3.20\niniconfig 2.3.1\nitsdangerous 2.2.0\njinja2 3.1.6\njmespath 1.1.0\njoserfc 1.8.0\njsonpatch 1.48\njsonpath-ng 1.16.0\njsonpointer 3.12\njsonschema 4.26.0\njsonschema-path 0.5.0\njsonschema-specifications 2025.9.1\nlazy-object-proxy 1.13.0\nlibrt 0.17.0\nmarkdown 3.11.3\nmarkdown-it-py 4.3.0\nmarkupsafe 3.0.4\nmdurl 0.1.2\nmoto 5.2.5\nmpmath 1.3.0\nmsgspec 0.23.0\nmypy 2.4.1\nmypy-extensions 1.2.0\nnetworkx 3.6.1\nnodeenv 1.12.0\nobstore 0.12.1\nopenapi-schema-validator 0.9.0\nopenapi-spec-validator 0.9.0\npackaging 26.4\npathable 0.6.0\npathspec 1.1.1\npip 23.2.1\nplaywright 1.65.2\npluggy 1.7.0\npsycopg 3.3.9\npsycopg-binary 3.3.9\npsycopg-pool 3.3.3\npy-partiql-parser 0.6.3\npycparser 3.12\npydantic 2.14.4\npydantic-core 2.50.5\npydantic-settings 2.16.3\npygments 2.21.0\npymdown-extensions 13.1.2\npyparsing 3.3.3\npyright 1.1.414\npytest 9.2.0\npytest-automation-report 0.1.0\npytest-rerunfailures 16.7\npytest-retry 1.7.0\npytest-xdist 3.8.0\npython-dateutil 2.9.0.post0\npython-dotenv 1.2.4\npyyaml 6.0.4\nreferencing 0.37.0\nregex 2026.11.19\nrequests 2.34.2\nresponses 0.26.3\nrfc3339-validator 0.1.4\nrich 15.0.0\nrpds-py 2026.9.1\nruff 0.17.6\ns3transfer 0.19.3\nsetuptools 65.5.0\nsix 1.17.0\nsortedcontainers 2.4.0\nstevedore 5.10.0\nsympy 1.14.0\ntime-machine 3.6.0\ntomli 2.5.0\ntomlkit 0.15.2\ntrove-classifiers 2026.9.21.13\ntrustme 1.2.1\ntypes-jsonschema 4.26.0.20261006\ntypes-pyyaml 6.0.12.20261122\ntypes-requests 2.33.0.20261030\ntyping-extensions 4.16.0\ntyping-inspection 0.4.5\nurllib3 2.8.0\nwaitress 3.0.2\nwerkzeug 3.1.9\nwrapt 2.5.2\nxmltodict 1.0.4\nzensical 0.0.73"}');
INSERT INTO public.attachment VALUES (48, 6, NULL, 'fields', '{"type":1,"name":"Branch","value":"feat/login"}');
INSERT INTO public.attachment VALUES (49, 6, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
INSERT INTO public.attachment VALUES (50, 6, NULL, 'fields', '{"type":1,"name":"Commit subject","value":"The shop"}');
INSERT INTO public.attachment VALUES (51, 6, NULL, 'fields', '{"type":1,"name":"Commit author","value":"ann@example.com"}');
INSERT INTO public.attachment VALUES (52, 6, NULL, 'fields', '{"type":1,"name":"Collected","value":"10"}');
INSERT INTO public.attachment VALUES (54, 7, NULL, 'fields', '{"type":1,"name":"Branch","value":"main"}');
INSERT INTO public.attachment VALUES (55, 7, NULL, 'fields', '{"type":1,"name":"Commit","value":"ccfc018b80615383a46ecc5c681c8ddbe7332566"}');
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
INSERT INTO public.content VALUES (1, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b', 9, 'text/plain; charset=utf-8', 1796288935059243);
INSERT INTO public.content_owner VALUES (1, 1);
INSERT INTO public.content_part VALUES (1, 0, '\x612070696374757265');
INSERT INTO public.content_use VALUES (4, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (5, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (6, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.content_use VALUES (7, '92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b');
INSERT INTO public.milestone VALUES (1, 1, 'May');
INSERT INTO public.moment VALUES ('prune', 1796288932424025);
INSERT INTO public.project VALUES (2, 1796288931538908);
INSERT INTO public.project VALUES (1, 1796288932713660);
INSERT INTO public.removed_run VALUES (1, 1);
INSERT INTO public.result VALUES (5, 4, 3, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 431, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288932732120, NULL, NULL, NULL, NULL, 13581, 203, 71, '[{"name":"fill the cart","status":"passed","elapsed":18,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (6, 4, 3, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 306, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288932732120, NULL, NULL, NULL, NULL, 14485, 140, 53, '[{"name":"fill the cart","status":"passed","elapsed":18,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (3, 2, 2, 1, 'opens', 'web.Login', 2, false, 2, 500000, NULL, NULL, NULL, '[{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796288931762348, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (4, 2, 2, 2, 'refuses', 'web.Login', 3, false, 3, 250000, NULL, NULL, NULL, '[{"type":1,"name":"Hostname","value":"ci"}]', NULL, 1796288931762348, NULL, 'call', 'no 403', -3176073724496792933, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"at login.js","message":"no 403"}]', NULL, NULL);
INSERT INTO public.result VALUES (7, 4, 3, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 277, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288932732120, NULL, NULL, NULL, NULL, 15111, 122, 49, '[{"name":"fill the cart","status":"passed","elapsed":14,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (8, 4, 3, 4, 'test_discount', 'test_shop', 2, false, 2, 492, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796288932732120, NULL, NULL, NULL, NULL, 15737, 36, 45, '[{"name":"pay","status":"passed","elapsed":3}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (9, 4, 3, 11, 'test_price', 'test_shop', 2, false, 2, 175, 'test_shop.py', 27, NULL, NULL, NULL, 1796288932732120, NULL, NULL, NULL, NULL, 16538, 35, 38, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (10, 4, 3, 12, 'test_known', 'test_shop', 2, false, 2, 97, 'test_shop.py', 32, NULL, NULL, NULL, 1796288932732120, NULL, NULL, NULL, NULL, 16958, 31, 32, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (11, 4, 3, 6, 'test_flaky', 'test_shop', 2, false, 2, 137, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796288932732120, NULL, NULL, NULL, NULL, 17342, 32, 36, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (12, 4, 3, 8, 'test_skipped', 'test_shop', 6, false, 1, 95, 'test_shop.py', 43, NULL, NULL, NULL, 1796288932732120, NULL, NULL, NULL, NULL, 17764, 51, 43, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmpkpez9f8g/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL);
INSERT INTO public.result VALUES (13, 4, 3, 3, 'test_xfailed', 'test_shop', 6, false, 1, 175, 'test_shop.py', 48, NULL, NULL, NULL, 1796288932732120, NULL, NULL, NULL, NULL, 18255, 41, 65, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL);
INSERT INTO public.result VALUES (14, 4, 3, 9, 'test_setup', 'test_shop', 2, false, 2, 156, 'test_shop.py', 59, NULL, NULL, NULL, 1796288932732120, NULL, NULL, NULL, NULL, 30160, 72, 44, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (15, 5, 4, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 735, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933475015, NULL, NULL, NULL, NULL, 211479, 393, 89, '[{"name":"fill the cart","status":"passed","elapsed":26,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (16, 5, 4, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 647, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933475015, NULL, NULL, NULL, NULL, 214482, 231, 133, '[{"name":"fill the cart","status":"passed","elapsed":34,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (17, 5, 4, 12, 'test_known', 'test_shop', 3, false, 3, 311, 'test_shop.py', 32, NULL, NULL, NULL, 1796288933475015, NULL, 'call', 'AssertionError: the bank is closed', -618351075545594364, 216389, 51, 135, NULL, NULL, NULL, NULL, '{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"}', true, '[{"kind":"failure","name":"Failure","text":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"}]', NULL, NULL);
INSERT INTO public.result VALUES (18, 5, 4, 6, 'test_flaky', 'test_shop', 2, false, 2, 313, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"2"}]', NULL, 1796288933475015, 1, NULL, NULL, NULL, 235639, 103, 63, NULL, NULL, NULL, '[{"number":1,"status":"failure","elapsed":485,"causes":[{"kind":"failure","name":"Failure","text":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError","message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call"}],"fields":[{"name":"try","value":"1","type":1}]}]', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (19, 5, 4, 8, 'test_skipped', 'test_shop', 6, false, 1, 179, 'test_shop.py', 43, NULL, NULL, NULL, 1796288933475015, NULL, NULL, NULL, NULL, 242974, 67, 111, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmpkpez9f8g/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL);
INSERT INTO public.result VALUES (20, 5, 5, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 509, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933483254, NULL, NULL, NULL, NULL, 211218, 226, 73, '[{"name":"fill the cart","status":"passed","elapsed":22,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (21, 5, 5, 4, 'test_discount', 'test_shop', 3, false, 3, 1545, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796288933483254, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 214059, 54, 599, '[{"name":"pay","status":"failed","elapsed":263}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"}]', NULL, NULL);
INSERT INTO public.result VALUES (22, 5, 5, 11, 'test_price', 'test_shop', 3, false, 3, 532, 'test_shop.py', 27, NULL, NULL, NULL, 1796288933483254, NULL, 'call', 'AssertionError: the price is wrong', 6250028194770292500, 239747, 87, 72, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"}]', '{"Output":"the price is 7\n"}', NULL);
INSERT INTO public.result VALUES (23, 5, 5, 3, 'test_xfailed', 'test_shop', 6, false, 1, 207, 'test_shop.py', 48, NULL, NULL, NULL, 1796288933483254, NULL, NULL, NULL, NULL, 242585, 66, 65, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL);
INSERT INTO public.result VALUES (24, 5, 5, 9, 'test_setup', 'test_shop', 3, false, 3, 204, 'test_shop.py', 59, NULL, NULL, NULL, 1796288933483254, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 248031, 136, 68, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"error","name":"Error","text":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"}]', NULL, NULL);
INSERT INTO public.result VALUES (25, 6, 6, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 447, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933929638, NULL, NULL, NULL, NULL, 11138, 220, 70, '[{"name":"fill the cart","status":"passed","elapsed":18,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (26, 6, 6, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 915, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933929638, NULL, NULL, NULL, NULL, 12130, 148, 56, '[{"name":"fill the cart","status":"passed","elapsed":19,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (27, 6, 6, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 296, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288933929638, NULL, NULL, NULL, NULL, 13496, 133, 50, '[{"name":"fill the cart","status":"passed","elapsed":15,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (28, 6, 6, 4, 'test_discount', 'test_shop', 3, false, 3, 920, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796288933929638, NULL, 'call', 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}', -879142512194918013, 14120, 35, 127, '[{"name":"pay","status":"failed","elapsed":261}]', '{"operator":"==","left":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"90"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]},"right":{"type":"dict","entries":[[{"type":"str","text":"total"},{"type":"int","text":"89"}],[{"type":"str","text":"currency"},{"type":"str","text":"EUR"}]]}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_discount():\n        link(\"https://grafana.example.com/d/7\", \"dashboard\")\n        artifact(b\"a picture\", name=\"page.png\", mime_type=\"image/png\")\n        with step(\"pay\"):\n>           assert {\"total\": 90, \"currency\": \"EUR\"} == {\"total\": 89 if BROKEN else 90, \"currency\": \"EUR\"}\nE           AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\nE             \nE             Omitting 1 identical items, use -vv to show\nE             Differing items:\nE             {''total'': 90} != {''total'': 89}\nE             Use -v to get more diff\n\ntest_shop.py:24: AssertionError","message":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}\n  \n  Omitting 1 identical items, use -vv to show\n  Differing items:\n  {''total'': 90} != {''total'': 89}\n  Use -v to get more diff","type":"AssertionError","phase":"call"}]', NULL, NULL);
INSERT INTO public.result VALUES (29, 6, 6, 11, 'test_price', 'test_shop', 3, false, 3, 499, 'test_shop.py', 27, NULL, NULL, NULL, 1796288933929638, NULL, 'call', 'AssertionError: the price is wrong', 6250028194770292500, 28893, 52, 55, NULL, '{"operator":"==","left":{"type":"int","text":"7"},"right":{"type":"int","text":"8"}}', NULL, NULL, NULL, NULL, '[{"kind":"failure","name":"Failure","text":"def test_price():\n        print(\"the price is 7\")\n>       assert 7 == (8 if BROKEN else 7), \"the price is wrong\"\nE       AssertionError: the price is wrong\nE       assert 7 == 8\n\ntest_shop.py:29: AssertionError","message":"AssertionError: the price is wrong\nassert 7 == 8","type":"AssertionError","phase":"call"}]', '{"Output":"the price is 7\n"}', NULL);
INSERT INTO public.result VALUES (30, 6, 6, 12, 'test_known', 'test_shop', 3, false, 3, 158, 'test_shop.py', 32, NULL, NULL, NULL, 1796288933929638, NULL, 'call', 'AssertionError: the bank is closed', -618351075545594364, 30919, 40, 49, NULL, NULL, NULL, NULL, '{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"}', true, '[{"kind":"failure","name":"Failure","text":"def test_known():\n>       assert not BROKEN, \"the bank is closed\"\nE       AssertionError: the bank is closed\nE       assert not ''1''\n\ntest_shop.py:33: AssertionError","message":"AssertionError: the bank is closed\nassert not ''1''","type":"AssertionError","phase":"call"}]', NULL, NULL);
INSERT INTO public.result VALUES (31, 6, 6, 6, 'test_flaky', 'test_shop', 2, false, 2, 165, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"2"}]', NULL, 1796288933929638, 1, NULL, NULL, NULL, 32460, 38, 41, NULL, NULL, NULL, '[{"number":1,"status":"failure","elapsed":195,"causes":[{"kind":"failure","name":"Failure","text":"@pytest.mark.flaky(reruns=2)\n    def test_flaky():\n        TRIES.append(1)\n        field(\"try\", len(TRIES))\n>       assert not BROKEN or len(TRIES) == 2\nE       AssertionError: assert (not ''1'' or 1 == 2)\nE        +  where 1 = len([1])\n\ntest_shop.py:40: AssertionError","message":"AssertionError: assert (not ''1'' or 1 == 2)\n +  where 1 = len([1])","type":"AssertionError","phase":"call"}],"fields":[{"name":"try","value":"1","type":1}]}]', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (32, 6, 6, 8, 'test_skipped', 'test_shop', 6, false, 1, 82, 'test_shop.py', 43, NULL, NULL, NULL, 1796288933929638, NULL, NULL, NULL, NULL, 34821, 43, 38, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmpkpez9f8g/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL);
INSERT INTO public.result VALUES (33, 6, 6, 3, 'test_xfailed', 'test_shop', 6, false, 1, 140, 'test_shop.py', 48, NULL, NULL, NULL, 1796288933929638, NULL, NULL, NULL, NULL, 35234, 45, 46, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL);
INSERT INTO public.result VALUES (34, 6, 6, 9, 'test_setup', 'test_shop', 3, false, 3, 158, 'test_shop.py', 59, NULL, NULL, NULL, 1796288933929638, NULL, 'setup', 'RuntimeError: the database is away', -2087562673585946903, 36416, 100, 57, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"error","name":"Error","text":"@pytest.fixture\n    def database():\n        if BROKEN:\n>           raise RuntimeError(\"the database is away\")\nE           RuntimeError: the database is away\n\ntest_shop.py:56: RuntimeError","message":"failed on setup with \"RuntimeError: the database is away\"","type":"RuntimeError","phase":"setup"}]', NULL, NULL);
INSERT INTO public.result VALUES (35, 7, 7, 5, 'test_cart[0]', 'test_shop', 2, false, 2, 753, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288934542339, NULL, NULL, NULL, NULL, 171159, 340, 77, '[{"name":"fill the cart","status":"passed","elapsed":26,"steps":[{"name":"choose","status":"passed","elapsed":2}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (36, 7, 7, 10, 'test_cart[1]', 'test_shop', 2, false, 2, 329, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288934542339, NULL, NULL, NULL, NULL, 172532, 155, 53, '[{"name":"fill the cart","status":"passed","elapsed":19,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (37, 7, 7, 7, 'test_cart[2]', 'test_shop', 2, false, 2, 291, 'test_shop.py', 12, NULL, '[{"type":1,"name":"customer","value":"ann@example.com"}]', NULL, 1796288934542339, NULL, NULL, NULL, NULL, 173253, 131, 50, '[{"name":"fill the cart","status":"passed","elapsed":15,"steps":[{"name":"choose","status":"passed","elapsed":1}]}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (38, 7, 7, 8, 'test_skipped', 'test_shop', 6, false, 1, 105, 'test_shop.py', 43, NULL, NULL, NULL, 1796288934542339, NULL, NULL, NULL, NULL, 173878, 56, 48, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"/tmp/tmpkpez9f8g/test_shop.py:43: not today","message":"not today","type":"pytest.skip"}]', NULL, NULL);
INSERT INTO public.result VALUES (39, 7, 7, 3, 'test_xfailed', 'test_shop', 6, false, 1, 253, 'test_shop.py', 48, NULL, NULL, NULL, 1796288934542339, NULL, NULL, NULL, NULL, 174577, 47, 121, NULL, NULL, NULL, NULL, NULL, NULL, '[{"kind":"skipped","name":"Skipped","text":"a bug","message":"a bug","type":"pytest.xfail"}]', NULL, NULL);
INSERT INTO public.result VALUES (40, 7, 7, 9, 'test_setup', 'test_shop', 2, false, 2, 202, 'test_shop.py', 59, NULL, NULL, NULL, 1796288934542339, NULL, NULL, NULL, NULL, 187501, 104, 47, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (41, 7, 8, 4, 'test_discount', 'test_shop', 2, false, 2, 990, 'test_shop.py', 20, NULL, '[{"type":5,"name":"dashboard","value":"https://grafana.example.com/d/7"}]', '[{"name":"page.png","url":"http+local://store/artifacts/92b2fa58028958317e408bd84ecfa70f5ee35b121991dbc232c49d166353708b/page.png","mime_type":"image/png","size":9}]', 1796288935067376, NULL, NULL, NULL, NULL, 165822, 133, 67, '[{"name":"pay","status":"passed","elapsed":7}]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (42, 7, 8, 11, 'test_price', 'test_shop', 2, false, 2, 223, 'test_shop.py', 27, NULL, NULL, NULL, 1796288935067376, NULL, NULL, NULL, NULL, 167485, 46, 45, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (43, 7, 8, 12, 'test_known', 'test_shop', 2, false, 2, 121, 'test_shop.py', 32, NULL, NULL, NULL, 1796288935067376, NULL, NULL, NULL, NULL, 168020, 41, 37, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.result VALUES (44, 7, 8, 6, 'test_flaky', 'test_shop', 2, false, 2, 161, 'test_shop.py', 36, NULL, '[{"type":1,"name":"try","value":"1"}]', NULL, 1796288935067376, NULL, NULL, NULL, NULL, 168460, 34, 41, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-03 09:08:53', NULL, NULL, '[]', 3, true, 38727, 1, 0, 1796288933912958, 1796288933939923, 1796288933939923, 'feat/login', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, 'ccfc018b80', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796288933873905, NULL, '{"state":"ended","status":1}', NULL);
INSERT INTO public.run VALUES (4, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop 2026-12-03 09:08:52', 1, 1, '["nightly","linux"]', 2, true, 31199, 1, 0, 1796288932713660, 1796288932742230, 1796288932742230, 'main', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, 'ccfc018b80', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796288932668022, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.run VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 'login', NULL, NULL, '[]', 3, true, 750000, 1, 0, 1796288931748697, 1796288931771732, 1796288931771732, 'main', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, 'ccfc018b80', 'ann@example.com', NULL, NULL, NULL, NULL, 1, NULL, NULL, '{"state":"other","text":"2 results submitted from 1 file"}', NULL);
INSERT INTO public.run VALUES (3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 'still open', NULL, NULL, '["later"]', 4, false, NULL, 0, 0, 1796288931980417, NULL, NULL, 'main', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, NULL, 'ann@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run VALUES (5, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 1, 2, 'shop 2026-12-03 09:08:53', 1, 1, '[]', 3, true, 381397, 2, 0, 1796288933303697, 1796288933492353, 1796288933492353, 'main', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, 'ccfc018b80', 'ann@example.com', NULL, 10, 0, NULL, 1, 1796288933454234, NULL, '{"state":"ended","status":1}', NULL);
INSERT INTO public.run VALUES (7, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 1, 2, 'shop pipeline-7', NULL, NULL, '["run-key-pipeline-7-b629a22b0c"]', 2, true, 732129, 2, 0, 1796288934444571, 1796288935440181, 1796288935440181, 'main', 'ccfc018b80615383a46ecc5c681c8ddbe7332566', NULL, 'ccfc018b80', 'ann@example.com', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO public.run_document VALUES (4, 'findings', 13, '{"version":13,"run":4,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":31199,"before":13581,"tests":2341,"between":14394,"waiting":0,"after":883,"balanced":2341,"workers":[{"started":13581,"ended":30316,"tests":2341}]}}');
INSERT INTO public.run_document VALUES (4, 'summary', 13, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":0}');
INSERT INTO public.run_document VALUES (4, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (2, 'findings', 13, '{"version":13,"run":2,"base":{"why":"same branch","branch":"main","run":1,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288931538908},"gate":{"base":1,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"ran":{"finished":2,"failed":1,"passed":1,"skipped":0,"collected":null,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0},"mine":{"new":0,"back":0,"flaky":0,"still":1,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[{"key":"f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591","folder":"web.Login","name":"refuses","result":4,"status":"failed","since":{"run":1,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288931538908},"kind":"still","same_reason":null,"known":null,"fingerprint":"d3ec51c66eeab29b"}],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"no 403","masked":"no <number>","phase":"call","place":null,"messages":1,"keys":["f09e55e48da57f12861a1e9dee0939afbccb05ba868406b020986617bf071591"],"fingerprint":"d3ec51c66eeab29b","count":1,"kind":"still","mine":{"still":1},"same_reason":null,"first":{"run":1,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288931538908},"since":{"run":1,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288931538908}}],"flaky":[],"slower":[],"faster":[],"time":{"wall":757156,"before":7156,"tests":750000,"between":0,"waiting":0,"after":0,"balanced":750000,"workers":[{"started":7156,"ended":757156,"tests":750000}]}}');
INSERT INTO public.run_document VALUES (2, 'summary', 13, '{"base":1,"gate":{"base":1,"branch":null,"failures":0},"verdict":{"kind":"failed","tone":"fail","long":"1 of 2 tests failed","short":"1 failed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":1,"known":0},"counts":{"newly_failing":0,"still_failing":1,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":1}');
INSERT INTO public.run_document VALUES (2, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (5, 'findings', 13, '{"version":13,"run":5,"base":{"why":"same branch","branch":"main","run":4,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288932713660},"gate":{"base":4,"branch":null,"failures":3},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0},"mine":{"new":3,"back":0,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":21,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697},"kind":"new","same_reason":null,"known":null,"fingerprint":"f3cca88b05ad6983"},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":17,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697},"kind":"known","same_reason":null,"known":{"until":"2999-12-31","reason":"SHOP-1 the bank is closed"},"fingerprint":"f76b2cf9139fc604"},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":22,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697},"kind":"new","same_reason":null,"known":null,"fingerprint":"56bc8f8771758f14"},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":24,"status":"failed","since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697},"kind":"new","same_reason":null,"known":null,"fingerprint":"e3077ccf0a8b7ee9"}],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697}},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697}},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"56bc8f8771758f14","count":1,"kind":"new","mine":{"new":1},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697}},{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"f76b2cf9139fc604","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":{"run":5,"commit":null,"author":null,"changes":null,"at":1796288933303697}}],"flaky":[{"key":"1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8","folder":"test_shop","name":"test_discount","result":21,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":18,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d","folder":"test_shop","name":"test_setup","result":24,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8","folder":"test_shop","name":"test_price","result":22,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false},{"key":"ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f","folder":"test_shop","name":"test_known","result":17,"state":"flaky","evidence":{"retries":0,"states":1,"isolated":0},"failed":1,"runs":2,"low":0.0945,"high":0.9055,"is_known":false}],"slower":[],"faster":[],"time":{"wall":381397,"before":422697,"tests":5182,"between":63509,"waiting":5082,"after":266324,"balanced":2613,"workers":[{"started":211479,"ended":243153,"tests":2185},{"started":211218,"ended":248235,"tests":2997}]}}');
INSERT INTO public.run_document VALUES (5, 'summary', 13, '{"base":4,"gate":{"base":4,"branch":null,"failures":3},"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":3,"back":0,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":4,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":5,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (5, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (6, 'findings', 13, '{"version":13,"run":6,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":null,"speed":1.0,"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"ran":{"finished":10,"failed":4,"passed":4,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":1},"known":"known until 31 December 2999 (SHOP-1)","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[{"title":"AssertionError: the bank is closed","masked":"AssertionError: the bank is closed","phase":"call","place":"test_shop.py","messages":1,"keys":["ed190e6496b6dea38d593c5fb07cdbab6951234124cd62e07de510b146baf22f"],"fingerprint":"f76b2cf9139fc604","count":1,"kind":"known","mine":{"known":1},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":{"run":6,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933912958}},{"title":"RuntimeError: the database is away","masked":"RuntimeError: the database is away","phase":"setup","place":"test_shop.py","messages":1,"keys":["c41ca1211c77c8c19e0eafa41f473930011db3a2548b31a8b4d454e2582df10d"],"fingerprint":"e3077ccf0a8b7ee9","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":null},{"title":"AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}","masked":"AssertionError: assert {''total'': <number>,...rency'': ''EUR''} == {''total'': <number>,...rency'': ''EUR''}","phase":"call","place":"test_shop.py","messages":1,"keys":["1abcd6b9537f94ff51ee550f6d942680881f6039ee894478dd2b6c8d7246f9d8"],"fingerprint":"f3cca88b05ad6983","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":null},{"title":"AssertionError: the price is wrong","masked":"AssertionError: the price is wrong","phase":"call","place":"test_shop.py","messages":1,"keys":["d4f99f4429b7580b98d40a68f38a32bf0f82840b1d32930334f22eabede4f5d8"],"fingerprint":"56bc8f8771758f14","count":1,"kind":null,"mine":{},"same_reason":null,"first":{"run":5,"commit":"ccfc018b80615383a46ecc5c681c8ddbe7332566","author":"ann@example.com","changes":null,"at":1796288933303697},"since":null}],"flaky":[{"key":"7b1042b84516351a59b9b44214dd77ac5466a4a0c94b6257b907f6da5f334962","folder":"test_shop","name":"test_flaky","result":31,"state":"flaky","evidence":{"retries":1,"states":0,"isolated":0},"failed":1,"runs":1,"low":0.2065,"high":1.0,"is_known":false}],"slower":[],"faster":[],"time":{"wall":38727,"before":11138,"tests":3780,"between":21656,"waiting":0,"after":2153,"balanced":3780,"workers":[{"started":11138,"ended":36574,"tests":3780}]}}');
INSERT INTO public.run_document VALUES (6, 'summary', 13, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"failed","tone":"fail","long":"4 of 10 tests failed, for 4 reasons","short":"4 failed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":1},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":1,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":4}');
INSERT INTO public.run_document VALUES (6, 'searched', 1, '{}');
INSERT INTO public.run_document VALUES (7, 'cut', 1, '{"runs":[5,4],"failed":[12,4,11,9],"durations":{"5":583,"10":476,"12":204,"6":225,"8":137,"7":393,"4":1018,"11":354,"3":191,"9":180}}');
INSERT INTO public.run_document VALUES (7, 'findings', 13, '{"version":13,"run":7,"base":null,"gate":{"base":null,"branch":null,"failures":0},"earlier_source":null,"is_partial":false,"whole":{"tests":10,"cases":10,"of_jobs":2,"missing":0,"twice":0,"jobs":[]},"speed":1.0,"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"ran":{"finished":10,"failed":0,"passed":8,"skipped":2,"collected":10,"not_run":0,"files":0,"lost":0,"modules":0,"uncollected":0,"unexplained_exit":0},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"known":"","counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"tests":{"newly_failing":[],"still_failing":[],"fixed":[],"passed_again":[],"new_tests":[],"gone":[],"newly_skipped":[],"not_run":[]},"reasons":[],"flaky":[],"slower":[],"faster":[],"time":{"wall":732129,"before":899156,"tests":3428,"between":15915,"waiting":543093,"after":2666,"balanced":1763,"workers":[{"started":171159,"ended":187703,"tests":1933},{"started":727997,"ended":730796,"tests":1495}]}}');
INSERT INTO public.run_document VALUES (7, 'summary', 13, '{"base":null,"gate":{"base":null,"branch":null,"failures":0},"verdict":{"kind":"passed","tone":"pass","long":"All 8 tests passed","short":"passed","part":""},"mine":{"new":0,"back":0,"flaky":0,"still":0,"known":0},"counts":{"newly_failing":0,"still_failing":0,"fixed":0,"passed_again":0,"new_tests":0,"gone":0,"newly_skipped":0,"not_run":0,"flaky":0,"slower":0,"faster":0,"in_several_jobs":0},"not_run":0,"reasons":0}');
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
INSERT INTO public.searched VALUES (15, 2, NULL, -2087562673585946903, 'RuntimeError: the database is away');
INSERT INTO public.searched VALUES (16, 2, NULL, -879142512194918013, 'AssertionError: assert {''total'': 90,...rency'': ''EUR''} == {''total'': 89,...rency'': ''EUR''}');
INSERT INTO public.searched VALUES (17, 2, NULL, -618351075545594364, 'AssertionError: the bank is closed');
INSERT INTO public.searched VALUES (18, 2, NULL, 6250028194770292500, 'AssertionError: the price is wrong');
INSERT INTO public.secret VALUES ('pages', 'a_ksyGv49FmceRF3UPuJyTP3DRqlp2HFMzLHEFyrVUE');
INSERT INTO public.source VALUES (1, 2, 'web', 1796288931538908, NULL);
INSERT INTO public.source VALUES (2, 1, 'shop', 1796288932713660, NULL);
INSERT INTO public.store_version VALUES (11, 'automation-report', '0.1.0', NULL, 0);
INSERT INTO public.thread VALUES (3, 0, 8, 0, 0, 0, 2, 8, 0, 10, 10, 4, 1, 2, true, 17607, 2341, 1796288932726420, 1796288932738357, 1796288932636823, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (2, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2, 1, 3, true, NULL, 750000, 1796288931755853, 1796288931767303, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (4, 0, 3, 1, 0, 0, 1, 3, 1, 5, 5, 5, 1, 3, true, 32890, 2185, 1796288933464765, 1796288933481342, 1796288933072837, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (5, 0, 1, 3, 0, 0, 1, 1, 3, 5, 5, 5, 2, 3, true, 38766, 2997, 1796288933477717, 1796288933488762, 1796288933072837, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (6, 0, 4, 4, 0, 0, 2, 4, 4, 10, 10, 6, 1, 3, true, 27570, 3780, 1796288933922805, 1796288933936091, 1796288933835178, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.thread VALUES (7, 0, 4, 0, 0, 0, 2, 4, 0, 6, 6, 7, 1, 2, true, 17784, 1933, 1796288934535665, 1796288934551849, 1796288934311315, NULL, 'test 1/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":6}', 1796288934500273, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.thread VALUES (8, 0, 4, 0, 0, 0, 0, 4, 0, 4, 4, 7, 2, 2, true, 4121, 1495, 1796288935062855, 1796288935076387, 1796288934873490, NULL, 'test 2/2', 1, '{"digest":"acd6cb2003cbaba3d9dcf84321c35df2","tests":10,"chosen":4}', 1796288935043444, NULL, '{"state":"ended"}', NULL);
INSERT INTO public.token VALUES ('ci', '0d96d1be7097a5842cdf6179340e2685580ac23e1e1dc1cf8b175ff51d36ca51', 'report', 1, 1796288935627627);
INSERT INTO public.token VALUES ('reader', '8449c17187d5524847546a65360984814fcfcfc34cee57ad73c4f058b714c2c1', 'read', NULL, 1796288935856039);
INSERT INTO public.token VALUES ('boss', 'cb90977ea1aa66a6846226f27803641603c937404a48a2dcdc422fffea3e24ff', 'admin', NULL, 1796288936063807);
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
