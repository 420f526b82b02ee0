<?php
/*
 * A stand-in for the AWS SDK, which Debian does not package: one table, in a locked file.
 * The conditions and the update are those that the framework's DynamoDbStore sends, and no others.
 */

namespace Aws\DynamoDb\Exception {
    class DynamoDbException extends \RuntimeException {}
}

namespace Aws\DynamoDb {
    class DynamoDbClient
    {
        public function __construct(array $config) {}

        public function getItem(array $call): array
        {
            return $this->change(fn ($table) => [$table, ['Item' => $table[$this->key($call)] ?? null]]);
        }

        public function putItem(array $call): array
        {
            return $this->change(function ($table) use ($call) {
                $key = $call['Item']['key']['S'];
                if (isset($call['ConditionExpression'], $table[$key])) {
                    $this->expect($call, 'attribute_not_exists(#key) OR #expires_at < :now');
                    $this->check($table[$key]['expires_at']['N'] < $this->now($call));
                }
                return [[$key => $call['Item']] + $table, []];
            });
        }

        public function updateItem(array $call): array
        {
            return $this->change(function ($table) use ($call) {
                $this->expect($call, 'attribute_exists(#key) AND #expires_at > :now');
                $item = $table[$this->key($call)] ?? null;
                $this->check($item !== null && $item['expires_at']['N'] > $this->now($call));
                $item['value']['N'] += $call['ExpressionAttributeValues'][':amount']['N'];
                return [[$this->key($call) => $item] + $table, ['Attributes' => $item]];
            });
        }

        public function deleteItem(array $call): array
        {
            return $this->change(fn ($table) => [array_diff_key($table, [$this->key($call) => 0]), []]);
        }

        /** Replaces the table by what `$step` makes of it, with no other request in between. */
        private function change(callable $step): array
        {
            $file = fopen($_SERVER['STATE'].'/storage/dynamodb.json', 'c+');
            flock($file, LOCK_EX);
            [$table, $reply] = $step(json_decode(stream_get_contents($file), true) ?: []);
            ftruncate($file, 0);
            rewind($file);
            fwrite($file, json_encode($table));
            fclose($file);
            return array_filter($reply);
        }

        private function key(array $call): string
        {
            return $call['Key']['key']['S'];
        }

        private function now(array $call): string
        {
            return $call['ExpressionAttributeValues'][':now']['N'];
        }

        private function expect(array $call, string $condition): void
        {
            if ($call['ConditionExpression'] !== $condition) {
                throw new \LogicException("an unknown condition: {$call['ConditionExpression']}");
            }
        }

        private function check(bool $holds): void
        {
            if (! $holds) {
                throw new Exception\DynamoDbException('ConditionalCheckFailedException');
            }
        }
    }
}
