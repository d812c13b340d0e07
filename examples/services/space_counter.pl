#!/usr/bin/env perl
# The service `space-counter`, in Perl with nothing but its core modules: `perl space_counter.pl --port 5000`.
# The same contract as text_service.py. Each connection is one request in a process of its own.
use strict;
use warnings;

use B ();
use Getopt::Long qw(GetOptions);
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(WNOHANG _exit);

use constant BODY_BYTES_MAX   => 1_000_000;
use constant HEADER_BYTES_MAX => 32_000;
use constant CONNECTIONS_MAX  => 16;
use constant TIMEOUT_S        => 10;

my %REASONS = (
    200 => 'OK', 204 => 'No Content', 400 => 'Bad Request', 404 => 'Not Found', 405 => 'Method Not Allowed',
    411 => 'Length Required', 413 => 'Content Too Large', 415 => 'Unsupported Media Type',
);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my ($port, $address) = (5000, undef);
GetOptions('port=i' => \$port, 'address=s' => \$address) or exit 2;

my $listener = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp', Listen => 64, ReuseAddr => 1,
) or die "cannot listen on port $port: $@\n";
my $base_url = 'http://127.0.0.1:' . $listener->sockport;
$address = "$base_url/event" if defined $address && $address eq 'self';
$address //= 'http://space-counter.local:5000/';

my $registration = {
    name    => 'space-counter',
    address => $address,
    inputs  => [{ name => 'message', type => 'string', description => 'The text to analyze' }],
    outputs => [{ name => 'message', type => 'string', description => 'The number of spaces in the text' }],
};

sub refuse { my ($status, $reason) = @_; return ($status, { message => $reason }) }

# A decoded JSON number and a decoded JSON string are both plain scalars; only their flags differ.
sub is_string {
    my ($value) = @_;
    return 0 if !defined $value || ref $value;
    return B::svref_2object(\$value)->FLAGS & B::SVp_POK ? 1 : 0;
}

sub is_empty {
    my ($payload) = @_;
    return !%$payload if ref $payload eq 'HASH';
    return !@$payload if ref $payload eq 'ARRAY';
    return !$payload;
}

sub event {
    my ($body) = @_;
    my $payload = eval { $json->decode($body) };
    return refuse(400, 'payload is not valid JSON.') if $@;
    return refuse(400, 'payload can not be empty.') if is_empty($payload);
    return refuse(400, 'payload must be an object.') if ref $payload ne 'HASH';
    my $message = $payload->{message};
    return refuse(400, 'message field is missing on payload.')
        if !defined $message || (is_string($message) && $message eq '');
    return refuse(400, 'message field must be a string.') if !is_string($message);
    my $spaces = ($message =~ tr/ //);
    return (200, { message => $spaces });
}

sub respond {
    my ($request) = @_;
    my ($method, $path) = @{$request}{qw(method path)};
    my $wanted = { '/healthcheck' => 'GET', '/infos' => 'GET', '/event' => 'POST', '/' => 'POST' }->{$path};
    return refuse(404, 'no such path.') if !defined $wanted;
    return refuse(405, "use $wanted.") if $method ne $wanted;
    return (204) if $path eq '/healthcheck';
    return (200, $registration) if $path eq '/infos';
    my ($media_type) = split /;/, lc($request->{headers}{'content-type'} // ''), 2;
    $media_type = '' if !defined $media_type;
    $media_type =~ s/^\s+|\s+$//g;
    return refuse(415, 'JSON is expected.') if $media_type ne 'application/json' && $media_type !~ /\+json$/;
    return event($request->{body});
}

# Returns the request, or nothing when the caller went away, or the status and reason of a refusal.
sub read_request {
    my ($client) = @_;
    my $read = '';
    until ($read =~ /\r?\n\r?\n/) {
        return if length $read > HEADER_BYTES_MAX;
        return if !sysread $client, $read, 4096, length $read;
    }
    my ($head, $body) = split /\r?\n\r?\n/, $read, 2;
    my ($first, @lines) = split /\r?\n/, $head;
    my ($method, $path) = split / /, $first;
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } @lines;
    my $length = $headers{'content-length'} // 0;
    return { refused => [411, 'a Content-Length is expected.'] }
        if exists $headers{'transfer-encoding'} || $length !~ /^[0-9]{1,15}$/;
    return { refused => [413, 'payload is too large.'] } if $length > BODY_BYTES_MAX;
    while (length $body < $length) {
        return if !sysread $client, $body, $length - length $body, length $body;
    }
    return { method => $method, path => $path // '', headers => \%headers, body => $body };
}

sub serve {
    my ($client) = @_;
    alarm TIMEOUT_S;    # ends this connection's process
    my $request = read_request($client) or return;
    my ($status, $document) = $request->{refused} ? refuse(@{ $request->{refused} }) : respond($request);
    my $body = defined $document ? $json->encode($document) : '';
    my $head = "HTTP/1.1 $status $REASONS{$status}\r\nConnection: close\r\n";
    $head .= "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n" if defined $document;
    print {$client} "$head\r\n$body";
    close $client;
    return;
}

$| = 1;
print "listening on $base_url\n";

my $connections = 0;
while (1) {
    my $client = $listener->accept or next;
    while ($connections > 0 && waitpid(-1, $connections < CONNECTIONS_MAX ? WNOHANG : 0) > 0) { $connections-- }
    my $child = fork;
    if (!defined $child) {
        warn "cannot fork: $!\n";
    }
    elsif ($child == 0) {
        close $listener;
        serve($client);
        _exit(0);
    }
    else {
        $connections++;
    }
    close $client;
}
