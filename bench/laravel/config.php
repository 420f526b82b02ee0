<?php
/* The whole configuration, where the framework looks for its cached one ($APP_CONFIG_CACHE). */

$state = $_SERVER['STATE'];
$store = $_SERVER['STORE'];

return [
    'app' => [
        'env' => 'production', 'debug' => false, 'timezone' => 'UTC', 'locale' => 'en', 'fallback_locale' => 'en',
        'key' => str_repeat('k', 32), 'cipher' => 'AES-256-CBC', 'url' => 'http://localhost', 'aliases' => [],
        'providers' => array_map(fn ($name) => "Illuminate\\$name\\{$name}ServiceProvider", [
            'Auth', 'Cache', 'Cookie', 'Database', 'Encryption', 'Filesystem', 'Redis', 'Session', 'Translation', 'Validation', 'View',
        ]),
    ],
    'auth' => ['defaults' => ['guard' => 'api'], 'guards' => ['api' => ['driver' => 'token']], 'providers' => []],
    'cache' => [
        'default' => $store === 'redis-mw' ? 'redis' : $store,
        'prefix' => $store,
        'stores' => [
            'file' => ['driver' => 'file', 'path' => "$state/storage/cache"],
            'redis' => ['driver' => 'redis', 'connection' => 'default'],
            'database' => ['driver' => 'database', 'table' => 'cache', 'connection' => null],
            'dynamodb' => ['driver' => 'dynamodb', 'table' => 'cache', 'region' => 'nowhere'],
        ],
    ],
    'database' => [
        'default' => 'sqlite',
        'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => "$state/storage/cache.sqlite", 'prefix' => '']],
        'redis' => [
            'client' => 'phpredis',
            'options' => ['prefix' => "$store:"],
            'default' => ['host' => "$state/redis.sock", 'port' => 0, 'database' => 0],
        ],
    ],
    'logging' => ['default' => 'file', 'channels' => ['file' => ['driver' => 'single', 'path' => "$state/storage/laravel.log"]]],
    'session' => ['driver' => 'array', 'lifetime' => 1, 'encrypt' => false, 'cookie' => 'none', 'lottery' => [0, 1]],
    'view' => ['paths' => [], 'compiled' => "$state/storage"],
];
