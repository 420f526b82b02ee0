<?php
/*
 * The API on the framework itself: one route behind authentication and the throttle, in one file.
 * nginx passes STATE, STORE, LIMIT and WINDOW (seconds) as parameters of each request.
 * What is to go wrong stands in the query: ?fail=422, ?fail=500, ?fail=503 and ?sleep=SECONDS.
 */

use Illuminate\Auth\Access\AuthorizationException;
use Illuminate\Auth\GenericUser;
use Illuminate\Cache\RateLimiting\Limit;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as KernelContract;
use Illuminate\Database\Eloquent\ModelNotFoundException;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel;
use Illuminate\Foundation\Http\Middleware\PreventRequestsDuringMaintenance;
use Illuminate\Http\Request;
use Illuminate\Routing\Middleware\ThrottleRequests;
use Illuminate\Routing\Middleware\ThrottleRequestsWithRedis;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\RateLimiter;
use Illuminate\Support\Facades\Route;
use Illuminate\Validation\ValidationException;

require 'Illuminate/autoload.php';
require __DIR__.'/dynamodb.php';

class ApiKernel extends Kernel
{
    protected $middleware = [PreventRequestsDuringMaintenance::class];
    protected $routeMiddleware = [
        'auth' => Illuminate\Auth\Middleware\Authenticate::class,
        'throttle' => ThrottleRequests::class,
        'throttle-redis' => ThrottleRequestsWithRedis::class,
    ];
}

function fail(?string $status): void
{
    match ($status) {
        '422' => throw ValidationException::withMessages(['sessionId' => ['The session id field must be a valid UUID.']]),
        '500' => throw new RuntimeException('never shown'),
        '503' => abort(503, 'Service Unavailable', ['Retry-After' => 7]),
        default => null,
    };
}

function show(Request $request, string $session)
{
    usleep((int) (1e6 * (float) $request->query('sleep', 0)));
    if ($request->user()->ability === 'none') {
        throw new AuthorizationException;
    }
    fail($request->query('fail'));
    $uuid = '/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i';
    if (! preg_match($uuid, $session) || str_starts_with($session, 'dead')) {
        throw (new ModelNotFoundException)->setModel('App\\Models\\ExtractionSession', [$session]);
    }
    $body = file_get_contents($_SERVER['STATE'].'/session.json');
    return response(str_replace('{id}', strtolower($session), $body), 200, ['Content-Type' => 'application/json']);
}

function boot(): void
{
    Auth::viaRequest('token', fn (Request $request) => match ($request->bearerToken()) {
        'sandbox-token' => new GenericUser(['id' => 1, 'ability' => 'read']),
        'sandbox-token-forbidden' => new GenericUser(['id' => 2, 'ability' => 'none']),
        default => null,
    });
    RateLimiter::for('api', function (Request $request) {
        $limit = Limit::perMinute((int) $_SERVER['LIMIT'])->by($request->ip());
        $limit->decayMinutes = $_SERVER['WINDOW'] / 60;
        return $limit;
    });
    $throttle = $_SERVER['STORE'] === 'redis-mw' ? 'throttle-redis:api' : 'throttle:api';
    Route::get('/login', fn () => '')->name('login');
    Route::middleware(['auth:api', $throttle])->get('/extractions/sessions/{session}', show(...));
    Route::getRoutes()->refreshNameLookups();
}

$app = new Application(__DIR__);
$app->useStoragePath($_SERVER['STATE'].'/storage');
$app->singleton(KernelContract::class, ApiKernel::class);
$app->singleton(ExceptionHandler::class, Handler::class);
$app->booted('boot');
$kernel = $app->make(KernelContract::class);
$response = $kernel->handle($request = Request::capture())->send();
$kernel->terminate($request, $response);
